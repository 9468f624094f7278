"""The devices of one resource, encoded once and joined."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

import attrs

from twistdp.allocation import SharedClaims, combine, select
from twistdp.calls import ContainerAllocateResponse
from twistdp.devices import Auto, DeviceInfo, Devices
from twistdp.kubelet.messages import container_part, listed_part
from twistdp.naming import natural_key
from twistdp.preferred import Candidate
from twistdp.room import MOST_BYTES, that_fit
from twistdp.topology import Topology


@attrs.frozen
class _Entry:
    info: DeviceInfo
    numa: Sequence[int]
    listed: bytes
    container: bytes


class Inventory:
    """What is advertised of a resource, and what containers get of it.

    A device's bytes are made when it appears or changes, kept, and joined for each message.
    `join` is the scanner's, see `twistdp.allocation.combine`.  NUMA nodes of devices whose topology
    is `AUTO` are looked up below `sysfs`.

    The list never has more than `MOST_BYTES`: where it would, some devices are left out of it.
    They can be allocated nevertheless, for they are there: whoever asks for one chose it when it
    was listed.
    """

    def __init__(
        self,
        resource: str,
        devices: Devices,
        *,
        join: Mapping[str, str] = MappingProxyType({}),
        sysfs: str = "/sys",
    ) -> None:
        self._resource = resource
        self._sysfs = sysfs
        self._join = join
        self._entries: dict[str, _Entry] = {}
        self._shared = SharedClaims()
        self._order: list[str] = []
        self._listed = b""
        self.size = 0
        """Bytes that a list of all devices has."""
        self.left_out: frozenset[str] = frozenset()
        """The devices that the list has no room for."""
        self.devices: Devices = {}
        self.update(devices)

    def update(self, devices: Devices, first: Collection[str] = ()) -> bool:
        """Take over another set of devices; whether the advertised list changed by it.

        Where the list has no room for all, those of `first` are listed before others, then those
        that were listed so far, then the first ones in natural order.
        """
        topology = Topology(self._sysfs)  # fresh, for it remembers what it has read
        fresh: dict[str, _Entry] = {}
        for device_id, info in devices.items():
            entry = self._entries.get(device_id)
            if entry is None or not (entry.info is info or entry.info == info):
                fresh[device_id] = self._entry(device_id, info, entry, topology)
        # What can fail has been done: from here on all is taken over or nothing.
        gone = self._entries.keys() - devices.keys()
        for device_id in gone:
            entry = self._entries.pop(device_id)
            self._shared.remove(entry.info)
            self.size -= len(entry.listed)
        for device_id, entry in fresh.items():
            before = self._entries.get(device_id)
            if before is not None:
                self._shared.remove(before.info)
                self.size -= len(before.listed)
            self._shared.add(entry.info)
            self.size += len(entry.listed)
            self._entries[device_id] = entry
        if self._entries.keys() != self.devices.keys():
            self._order = sorted(self._entries, key=natural_key)
        so_far = self.devices.keys() - self.left_out
        self.devices = devices
        listed = self._listed
        self._list(first, so_far)
        return self._listed != listed

    def _list(self, first: Collection[str], so_far: Collection[str]) -> None:
        """Make the list anew."""
        if self.size <= MOST_BYTES:
            self.left_out = frozenset()
            self._listed = b"".join([self._entries[id_].listed for id_ in self._order])
        else:
            sizes = {id_: len(self._entries[id_].listed) for id_ in self._order}
            ranks = [[id_ for id_ in self._order if id_ in some] for some in (first, so_far)]
            fitting = that_fit(sizes, [*ranks, self._order])
            self.left_out = frozenset(self._order) - fitting
            self._listed = b"".join(
                [self._entries[id_].listed for id_ in self._order if id_ in fitting]
            )

    def _entry(
        self, device_id: str, info: DeviceInfo, before: _Entry | None, topology: Topology
    ) -> _Entry:
        numa: Sequence[int] | None
        if before is not None and _alike(before.info, info):
            numa = before.numa  # also when the node that it was looked up by is gone
        elif isinstance(info.topology, Auto):
            numa = topology.nodes(node.host_path for node in info.nodes)
        else:
            numa = info.topology
        return _Entry(
            info,
            tuple(numa or ()),
            listed_part(device_id, info, numa),
            container_part(info),
        )

    def listed(self) -> bytes:
        """The ListAndWatchResponse, in natural order of the ids."""
        return self._listed

    def container(self, ids: Iterable[str]) -> bytes:
        """The ContainerAllocateResponse for these ids; raises what `select` and `combine` do."""
        chosen = select(self._resource, self.devices, ids)
        if not self._shared or len(chosen) == 1:
            return b"".join(self._entries[device_id].container for device_id in chosen)
        return container_part(self._combined(chosen))

    def response(self, ids: Iterable[str]) -> ContainerAllocateResponse:
        """The same as a value, for hooks."""
        return self._combined(select(self._resource, self.devices, ids))

    def known(self, ids: Iterable[str]) -> dict[str, DeviceInfo]:
        """Those of the devices that there are, by id."""
        return {id_: self.devices[id_] for id_ in ids if id_ in self.devices}

    def candidates(self, ids: Iterable[str]) -> list[Candidate]:
        """Those of the devices that there are, as the policies want them, in natural order."""
        wanted = set(ids)
        return [
            Candidate(id_, rank, self.devices[id_].group or id_, tuple(self._entries[id_].numa))
            for rank, id_ in enumerate(self._order)
            if id_ in wanted
        ]

    def _combined(self, chosen: Sequence[str]) -> ContainerAllocateResponse:
        return combine(self._resource, [(id_, self.devices[id_]) for id_ in chosen], self._join)


def _alike(one: DeviceInfo, other: DeviceInfo) -> bool:
    """Whether two states of a device lead to the same NUMA nodes."""
    return one.nodes == other.nodes and one.topology == other.topology
