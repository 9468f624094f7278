"""Records what was published when, and which answers were right during a call."""

import random
from collections.abc import Collection, Iterable, Mapping
from itertools import count

import attrs

from twistdp import HEALTHY, UNHEALTHY, DeviceInfo, DeviceSpec, DeviceTree
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import ContainerAllocateResponse

Devices = Mapping[str, DeviceInfo]
Answer = tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str]]] | str
"""Variables and nodes (host and container path) of a container, or the status of a refusal."""


class History:
    """Every set of devices that was published, oldest first; its index is its version."""

    def __init__(self, devices: Devices) -> None:
        self._published: list[Devices] = [devices]

    @property
    def version(self) -> int:
        """That of the newest."""
        return len(self._published) - 1

    @property
    def devices(self) -> Devices:
        """The newest."""
        return self._published[-1]

    def publish(self, devices: Devices) -> None:
        """From now on these are right."""
        self._published.append(devices)

    def right(self, ids: Collection[str], begin: int, end: int) -> set[Answer]:
        """Return the right answers for `ids` to a call from version `begin` to version `end`."""
        return {_expected(devices, ids) for devices in self._published[begin : end + 1]}

    def seen(self, listed: Mapping[str, str], since: int) -> int | None:
        """The first version from `since` on that was listed so, by id and health."""
        for version in range(since, len(self._published)):
            if healths(self._published[version]) == listed:
                return version
        return None


def healths(devices: Devices) -> dict[str, str]:
    """Health by id."""
    return {id_: info.state for id_, info in devices.items()}


def given(answer: ContainerAllocateResponse) -> Answer:
    """Return a container's part of an answer, for comparison with `History.right`."""
    nodes = [(node.host_path, node.container_path) for node in answer.devices]
    return frozenset(answer.envs.items()), frozenset(nodes)


def _expected(devices: Devices, ids: Iterable[str]) -> Answer:
    chosen = [devices.get(id_) for id_ in ids]
    found = [info for info in chosen if info is not None]
    if len(found) < len(chosen):
        return "NOT_FOUND"
    if any(info.state != HEALTHY for info in found):
        return "FAILED_PRECONDITION"
    return (
        frozenset(item for info in found for item in info.envs.items()),
        frozenset((n.host_path, n.container_path) for info in found for n in info.nodes),
    )


@attrs.define
class Flapping:
    """Devices that come, go, change their health and their content; one is always there."""

    ids: Collection[str]
    random: random.Random
    _versions: "count[int]" = attrs.field(factory=count)

    def first(self) -> Devices:
        """All of them, healthy."""
        return {id_: self._info(id_, HEALTHY) for id_ in self.ids}

    def next(self, devices: Devices) -> Devices:
        """Another set; always different."""
        first, *others = self.ids
        id_ = self.random.choice([first, *others])
        changed = dict(devices)
        chance = self.random.random()
        if id_ in devices and id_ != first and chance < 0.25:
            del changed[id_]
        elif chance < 0.5 and id_ != first:
            changed[id_] = self._info(id_, UNHEALTHY)
        else:
            changed[id_] = self._info(id_, HEALTHY)
        return changed

    def _info(self, id_: str, state: str) -> DeviceInfo:
        version = next(self._versions)
        return DeviceInfo(
            state,
            nodes=[DeviceSpec("/dev/null", f"/dev/{id_}/{version}")],
            envs={f"VERSION_{id_}": str(version)},
            topology=None,
        )


def tree_of(kind: str, devices: Devices) -> DeviceTree:
    """The devices as a tree."""
    tree = DeviceTree()
    for id_, info in devices.items():
        tree.add_device(kind, id_, info)
    return tree
