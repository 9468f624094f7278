"""Puts together what a container gets for the devices of one resource that it was given."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from twistdp.errors import ConflictingDevices, UnhealthyDevice, UnknownDevice
from twistdp.model.devices import HEALTHY, DeviceInfo, Devices, DeviceSpec, Mount
from twistdp.model.names import MAX_DEVICE_ID, natural_key
from twistdp.model.text import printable

if TYPE_CHECKING:
    from twistdp.model.cdi import CDIDevice

Claim = tuple[str, str]
"""Something that a container has only once: a kind, and a key, path or name of that kind."""


def select(
    resource: str,
    devices: Devices,
    ids: Iterable[str],
    key: Callable[[str], Any] = natural_key,
) -> list[str]:
    """Return the requested ids, each once, in natural order (the kubelet's order is random).

    `key` sorts devices in that order, for callers that have such keys already.  Raises
    `UnknownDevice` or `UnhealthyDevice` with a text for the pod's status.
    """
    wanted = set(ids)
    if unknown := [id_ for id_ in wanted if id_ not in devices]:
        # A caller may send hundreds of thousands: natural order would take a second.
        unknown.sort(key=natural_key if len(unknown) <= 1000 else None)
        raise UnknownDevice(
            f"{resource} has no device {listed(unknown)} (any more): it was unplugged or renamed "
            "since the pod was scheduled; delete the pod, and a new one gets a present device"
        )
    chosen = sorted(wanted, key=key)
    if bad := [id_ for id_ in chosen if devices[id_].state != HEALTHY]:
        reasons = "; ".join(f"{id_}: {why}" for id_ in bad if (why := devices[id_].reason))
        raise UnhealthyDevice(
            f"{resource}: device {listed(bad)} is unhealthy{f' ({reasons})' if reasons else ''}; "
            "fix the device or delete the pod, and a new one gets a healthy device"
        )
    return chosen


def claims(info: DeviceInfo) -> list[Claim]:
    """Return all that a device claims for itself in a container."""
    found = [("device path", node.container_path) for node in info.nodes]
    found += [("mount path", mount.container_path) for mount in info.mounts]
    if info.envs or info.annotations:
        found += [("env", key) for key in info.envs]
        found += [("annotation", key) for key in info.annotations]
    if info.cdi is not None:
        found += [(kind, key) for kind, key, _ in _cdi_claims(info.cdi)]
    return found


def _cdi_claims(cdi: "CDIDevice") -> Iterator[tuple[str, str, object]]:
    """Yield the claims of a device's CDI part, with their values: of equal keys, runtimes take the
    last.
    """
    yield from (("device path", node.path, node) for node in cdi.nodes)
    yield from (("mount path", mount.container_path, mount) for mount in cdi.mounts)
    yield from (("env", key, value) for key, value in cdi.env.items())


class SharedClaims:
    """Counts the claims that more than one device of a resource makes.

    Only devices without a shared claim may be joined blindly; the others need `combine`.
    """

    def __init__(self) -> None:
        self._uses: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """By kind: tuples for thousands of claims would need as much memory as everything else."""
        self._shared = 0

    def count(self, info: DeviceInfo, sign: Literal[1, -1]) -> None:
        """Count a device that appeared, or with -1 one that vanished."""
        for kind, key in claims(info):
            uses = self._uses[kind]
            uses[key] += sign
            self._shared += sign * (uses[key] == (2 if sign == 1 else 1))
            if not uses[key]:
                del uses[key]

    def __bool__(self) -> bool:
        return self._shared > 0


class Combined(NamedTuple):
    """What one container gets for all its devices; CDI parts are named, not combined."""

    envs: dict[str, str]
    mounts: list[Mount]
    nodes: list[DeviceSpec]
    annotations: dict[str, str]


def combine(
    resource: str,
    devices: Iterable[tuple[str, DeviceInfo]],
    join: Mapping[str, str] = MappingProxyType({}),
) -> Combined:
    """Put devices together; equal parts appear once.

    `join` has the environment variables and annotations whose values are joined, and the separator
    of each.  Raises `ConflictingDevices`, naming both, when two devices give any other
    key, or one container path, different values.
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
                f"its {kind} {key} different values; ask for one device a container, or let the "
                "plugin's author make them agree"
            )
        return False

    def add(texts: dict[str, str], id_: str, kind: str, more: Mapping[str, str]) -> None:
        for key, value in more.items():
            if key in join:
                parts = joined.setdefault((kind, key), {})
                parts[value] = None
                texts[key] = join[key].join(parts)
            elif unique(id_, kind, key, value):
                texts[key] = value

    joined: dict[Claim, dict[str, None]] = {}
    answer = Combined({}, [], [], {})
    for id_, info in devices:
        add(answer.envs, id_, "env", info.envs)
        add(answer.annotations, id_, "annotation", info.annotations)
        answer.nodes.extend(
            n for n in info.nodes if unique(id_, "device path", n.container_path, n)
        )
        for kind, key, value in _cdi_claims(info.cdi) if info.cdi is not None else ():
            unique(id_, kind, key, value)
        answer.mounts.extend(
            m for m in info.mounts if unique(id_, "mount path", m.container_path, m)
        )
    return answer


def listed(ids: Sequence[str]) -> str:
    """Show the first few of the ids that a caller sent, each as long as an id may be."""
    return ", ".join(printable(id_, MAX_DEVICE_ID) for id_ in ids[:8]) + (
        f" and {len(ids) - 8} more" if len(ids) > 8 else ""
    )
