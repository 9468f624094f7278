"""What a container gets that was given some devices of one resource."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import attrs

from twistdp.devices import HEALTHY, DeviceInfo, Devices, DeviceSpec, Mount
from twistdp.errors import ConflictingDevices, UnhealthyDevice, UnknownDevice
from twistdp.naming import natural_key

Claim = tuple[str, str]
"""Something a container has only one of: a kind, and a key, path or name of that kind."""


@attrs.frozen
class Allocation:
    """The devices' parts for one container, put together (API: ContainerAllocateResponse)."""

    nodes: Sequence[DeviceSpec] = ()
    mounts: Sequence[Mount] = ()
    envs: Mapping[str, str] = attrs.field(factory=dict)
    annotations: Mapping[str, str] = attrs.field(factory=dict)


def select(resource: str, devices: Devices, ids: Iterable[str]) -> list[str]:
    """The requested ids, each once, in natural order (the kubelet's order is random).

    Raises `UnknownDevice` or `UnhealthyDevice` with a text for the pod's status.
    """
    chosen = sorted(set(ids), key=natural_key)
    if unknown := [id_ for id_ in chosen if id_ not in devices]:
        raise UnknownDevice(
            f"{resource} has no device {_listed(unknown)} (any more): it was unplugged or renamed "
            "since the pod was scheduled; delete the pod, and a new one gets a present device"
        )
    if bad := [id_ for id_ in chosen if devices[id_].state != HEALTHY]:
        reasons = "; ".join(f"{id_}: {why}" for id_ in bad if (why := devices[id_].reason))
        raise UnhealthyDevice(
            f"{resource}: device {_listed(bad)} is unhealthy{f' ({reasons})' if reasons else ''}; "
            "mend the device or delete the pod, and a new one gets a healthy device"
        )
    return chosen


def claims(info: DeviceInfo) -> list[Claim]:
    """All that a device claims for itself in a container."""
    return [
        *(("env", key) for key in info.envs),
        *(("annotation", key) for key in info.annotations),
        *(("device path", node.container_path) for node in info.nodes),
        *(("mount path", mount.container_path) for mount in info.mounts),
    ]


class SharedClaims:
    """Which claims are made by more than one device of a resource.

    Only devices without a shared claim may be joined blindly; the others need `combine`.
    """

    def __init__(self) -> None:
        self._uses: Counter[Claim] = Counter()
        self._shared = 0

    def add(self, info: DeviceInfo) -> None:
        """Count a device that appeared."""
        for claim in claims(info):
            self._uses[claim] += 1
            self._shared += self._uses[claim] == 2

    def remove(self, info: DeviceInfo) -> None:
        """Forget a device that vanished."""
        for claim in claims(info):
            self._uses[claim] -= 1
            self._shared -= self._uses[claim] == 1
            if not self._uses[claim]:
                del self._uses[claim]

    def __bool__(self) -> bool:
        return self._shared > 0


def combine(resource: str, devices: Iterable[tuple[str, DeviceInfo]]) -> Allocation:
    """Put devices together: what is equal appears once.

    Raises `ConflictingDevices`, naming both, when two give one environment variable,
    annotation or container path different values.
    """
    found: dict[Claim, tuple[str, object]] = {}

    def unique(id_: str, kind: str, key: str, value: object) -> bool:
        if (kind, key) not in found:
            found[kind, key] = (id_, value)
            return True
        other, previous = found[kind, key]
        if previous != value:
            raise ConflictingDevices(
                f"{resource}: devices {other} and {id_} cannot be in one container: they give "
                f"its {kind} {key} different values ({previous} and {value}); ask for one device "
                "a container, or let the plugin's author make them agree"
            )
        return False

    nodes: list[DeviceSpec] = []
    mounts: list[Mount] = []
    envs: dict[str, str] = {}
    annotations: dict[str, str] = {}
    for id_, info in devices:
        nodes += (n for n in info.nodes if unique(id_, "device path", n.container_path, n))
        mounts += (m for m in info.mounts if unique(id_, "mount path", m.container_path, m))
        envs.update((k, v) for k, v in info.envs.items() if unique(id_, "env", k, v))
        annotations.update(
            (k, v) for k, v in info.annotations.items() if unique(id_, "annotation", k, v)
        )
    return Allocation(nodes, mounts, envs, annotations)


def _listed(ids: Sequence[str]) -> str:
    return ", ".join(ids[:8]) + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")
