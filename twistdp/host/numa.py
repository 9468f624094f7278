"""The NUMA nodes of devices."""

from collections.abc import Iterable

from twistdp.host.topology import Topology
from twistdp.model import Auto, DeviceInfo


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
