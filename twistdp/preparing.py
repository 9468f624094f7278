"""What a tree costs, paid in the scanner's thread before the reactor's gets it."""

from collections.abc import Iterable, Mapping
from typing import Final

from twistdp.changes import keep_unchanged
from twistdp.devices import Auto, DeviceInfo, Devices, DeviceTree
from twistdp.sightings import Sightings
from twistdp.topology import Topology
from twistdp.vetting import Vetting

_NONE: Final[Mapping[str, DeviceInfo]] = {}


class NumaNodes:
    """The NUMA nodes of devices whose topology is `AUTO`, from the sysfs at `sysfs`.

    To read it takes some 20 µs a device, so a scanner's thread may `look_ahead`.
    """

    def __init__(self, sysfs: str = "/sys") -> None:
        self._sysfs = sysfs
        self._ahead: dict[int, tuple[DeviceInfo, tuple[int, ...] | None]] = {}

    def look_ahead(self, infos: Iterable[DeviceInfo]) -> None:
        """Look up these, which `of` is soon to be asked for; forget those of the last time.

        In any thread, and never raises: what cannot be looked up is left to `of`.
        """
        topology = Topology(self._sysfs)
        ahead = {}
        for info in infos:
            try:
                if isinstance(info.topology, Auto):
                    ahead[id(info)] = info, topology.nodes(node.host_path for node in info.nodes)
            except Exception:  # noqa: S112  # a bad device, which is refused later, or exhaustion
                continue
        self._ahead = ahead

    def of(self, infos: Iterable[DeviceInfo]) -> list[tuple[int, ...] | None]:
        """The nodes of each, or None where there are none known.

        Raises OSError when the process has run out of what reading needs.
        """
        topology = Topology(self._sysfs)  # fresh, for it remembers what it has read
        nodes = []
        ahead = self._ahead
        for info in infos:
            known, found = ahead.pop(id(info), (None, None))
            if known is not info:
                found = topology.nodes(node.host_path for node in info.nodes)
            nodes.append(found)
        if not ahead:
            ahead.clear()  # and gives back the room for thousands of devices
        return nodes

    def absent(self, nodes: Iterable[int]) -> set[int]:
        """Those of the NUMA nodes that this machine does not have."""
        topology = Topology(self._sysfs)
        return {node for node in nodes if not topology.has_node(node)}


def alike(one: DeviceInfo, other: DeviceInfo) -> bool:
    """Whether two states of a device lead to the same NUMA nodes."""
    return one.nodes == other.nodes and one.topology == other.topology


class Preparation:
    """Prepares one scanner's trees, one after the other, in its thread.

    A device that is equal to that of the last tree becomes the same object, which makes it
    free to all that follows, and the NUMA nodes of others are looked up.  `sightings` are told of
    those, as devices of resources of `namespace`.  `vetting` says which are left out since others
    could change their paths.
    """

    def __init__(
        self,
        numa: NumaNodes,
        namespace: str = "",
        sightings: Sightings | None = None,
        vetting: Vetting | None = None,
    ) -> None:
        self._numa = numa
        self._namespace = namespace
        self._sightings = sightings
        self._vetting = vetting
        self._before: Mapping[str, Devices] = {}

    def __call__(self, tree: DeviceTree) -> DeviceTree:
        """A copy of `tree`, prepared.  Refuses nothing; that is left to `accept`."""
        prepared = DeviceTree()
        prepared.repeated |= tree.settle()
        last: dict[str, Devices] = {}
        fresh: list[DeviceInfo] = []
        if self._vetting is not None:
            self._vetting.begin()
        for kind in self._before.keys() - set(tree):
            self._sight(kind, self._before[kind], {})
        for kind in tree:
            before = self._before.get(kind, _NONE)
            devices, changed = keep_unchanged(tree[kind], before)
            prepared.add_devices(kind, devices)
            last[kind] = prepared[kind]
            if self._vetting is not None:
                refused = self._vetting.refused(kind, devices, changed)
                if refused:
                    prepared.untrusted[kind] = refused
            others = {
                id_: devices[id_] for id_ in changed if not _alike(before.get(id_), devices[id_])
            }
            fresh += others.values()
            self._sight(kind, before.keys() - devices.keys(), others)
        self._before = last
        self._numa.look_ahead(fresh)
        return prepared

    def _sight(self, kind: object, gone: Iterable[str], fresh: Devices) -> None:
        # Of what is no text there will be no resource, and it may be impossible to show.
        if self._sightings is not None and isinstance(kind, str):
            self._sightings.look(f"{self._namespace}/{kind}", gone, fresh)


def _alike(one: object, other: object) -> bool:
    """The same for what may be no devices."""
    both = isinstance(one, DeviceInfo) and isinstance(other, DeviceInfo)
    try:
        return both and alike(one, other)  # type: ignore[arg-type]
    except Exception:  # of the values' own methods
        return False
