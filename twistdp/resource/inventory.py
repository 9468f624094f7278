"""Encodes the devices of one resource once, and joins their bytes."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from twistdp.kubelet import container_part, listed_part
from twistdp.model import (
    HEALTHY,
    Combined,
    DeviceInfo,
    Devices,
    SharedClaims,
    Update,
    combine,
    natural_key,
    select,
)
from twistdp.resource.policies import Candidate
from twistdp.resource.room import MOST_BYTES, that_fit


class _Entry:
    __slots__ = ("container", "info", "key", "listed", "numa")

    def __init__(self, info: DeviceInfo, key: str, numa: tuple[int, ...], listed: bytes) -> None:
        self.info = info
        self.key = key  # natural
        self.numa = numa
        self.listed = listed
        self.container: bytes | None = None
        """The bytes for a container, made when the device is first handed out: most never are."""


class Inventory:
    """The list that is advertised of a resource, and what containers get of it.

    A device's bytes are made once, for the list when it appears or changes, for a container when
    it is handed out for the first time; they are kept, and joined for each message.
    `join` is the scanner's, see `twistdp.model.allocation.combine`.

    The list never has more than `MOST_BYTES`: where it would, some devices are left out of it.
    They can be allocated nevertheless: a kubelet that asks for one chose it when it was listed.
    """

    def __init__(
        self, resource: str, update: Update, *, join: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._resource = resource
        self._join = join
        self._entries: dict[str, _Entry] = {}
        self._shared = SharedClaims()
        self._order: list[str] = []
        """The ids in natural order."""
        self.listed = b""
        """The ListAndWatchResponse, in natural order of the ids."""
        self.size = 0
        """Bytes that a list of all devices has."""
        self.unhealthy = 0
        """How many devices are not healthy."""
        self.placed = 0
        """How many devices have a NUMA node, or several."""
        self.nodes: Counter[int] = Counter()
        """How many devices are on each NUMA node; a node with none is not there."""
        self.left_out: frozenset[str] = frozenset()
        """The devices that the list has no room for."""
        self.devices: Devices = {}
        self.update(update)

    def update(self, update: Update, first: Collection[str] = ()) -> bytes | None:
        """Take over an update; return the advertised list if it has changed.

        Where the list has no room for all, devices of `first` are listed before others, then those
        that were listed so far, then the others in natural order.
        """
        fresh = {id_: _entry(id_, update) for id_ in update.changed}
        # Nothing fails from here on, so an update is taken over completely or not at all.
        gone = self._entries.keys() & update.removed
        new = fresh.keys() - self._entries.keys()
        for device_id in gone:
            self._count(self._entries.pop(device_id), -1)
        for device_id, entry in fresh.items():
            if (before := self._entries.get(device_id)) is not None:
                self._count(before, -1)
            self._count(entry, 1)
            self._entries[device_id] = entry
        if gone:
            self._order = [id_ for id_ in self._order if id_ not in gone]
        if new:
            self._order += new
            self._order.sort(key=self._key)  # quick: all but the end is in order
        so_far = self.devices.keys() - self.left_out if self.left_out else self.devices.keys()
        self.devices = update.devices
        listed = self.listed
        self._list(first, so_far)
        return None if self.listed == listed else self.listed

    def _count(self, entry: _Entry, sign: Literal[1, -1]) -> None:
        """Count a new entry, or with -1 one that is gone."""
        self.size += sign * len(entry.listed)
        self.unhealthy += sign * (entry.info.state != HEALTHY)
        self.placed += sign * bool(entry.numa)
        for node in entry.numa:
            self.nodes[node] += sign
            if not self.nodes[node]:
                del self.nodes[node]
        self._shared.count(entry.info, sign)

    def _list(self, first: Collection[str], so_far: Collection[str]) -> None:
        """Make the list again."""
        self.left_out = frozenset()
        order = self._order
        if self.size > MOST_BYTES:
            sizes = {device_id: len(self._entries[device_id].listed) for device_id in order}
            ranks = [[id_ for id_ in order if id_ in some] for some in (first, so_far)]
            fitting = that_fit(sizes, [*ranks, order])
            self.left_out = frozenset(sizes.keys() - fitting)
            order = [id_ for id_ in order if id_ in fitting]
        self.listed = b"".join([self._entries[device_id].listed for device_id in order])

    def container(self, ids: Iterable[str]) -> bytes:
        """Return the ContainerAllocateResponse for these ids.  Raises as `select` and `combine`."""
        chosen = self._select(ids)
        if self._shared and len(chosen) > 1:
            return container_part(self._combine(chosen))
        parts = []
        for entry in [self._entries[device_id] for device_id in chosen]:
            if entry.container is None:
                entry.container = container_part(entry.info)
            parts.append(entry.container)
        return b"".join(parts)

    def combined(self, ids: Iterable[str]) -> Combined:
        """Return the same as a value, for hooks."""
        return self._combine(self._select(ids))

    @property
    def order(self) -> Sequence[str]:
        """All ids in natural order; it is not to be kept."""
        return self._order

    def known(self, ids: Iterable[str]) -> dict[str, DeviceInfo]:
        """Return the devices with these ids, without unknown ones."""
        return {id_: self.devices[id_] for id_ in ids if id_ in self.devices}

    def numa(self, device_id: str) -> Sequence[int]:
        """Return the NUMA nodes of a known device, none if they are not known."""
        return self._entries[device_id].numa

    def candidates(self, ids: Collection[str]) -> list[Candidate]:
        """Return the devices with these ids for the policies, in natural order."""
        known = self._entries.keys() & ids
        if len(known) * 8 > len(self._order):
            ordered: Iterable[str] = filter(known.__contains__, self._order)
        else:
            ordered = sorted(known, key=self._key)  # a request may have many containers
        return [
            Candidate(id_, self.devices[id_].group or id_, self._entries[id_].numa)
            for id_ in ordered
        ]

    def natural(self, ids: Iterable[str]) -> list[str]:
        """Return these ids in natural order, each once, also unknown ones."""
        entries = self._entries
        return sorted(
            set(ids), key=lambda id_: entries[id_].key if id_ in entries else natural_key(id_)
        )

    def _select(self, ids: Iterable[str]) -> list[str]:
        return select(self._resource, self.devices, ids, self._key)

    def _key(self, device_id: str) -> str:
        return self._entries[device_id].key

    def _combine(self, chosen: Sequence[str]) -> Combined:
        return combine(self._resource, [(id_, self.devices[id_]) for id_ in chosen], self._join)


def _entry(device_id: str, update: Update) -> _Entry:
    info, numa = update.devices[device_id], update.numa.get(device_id, ())
    return _Entry(info, natural_key(device_id), numa, listed_part(device_id, info, numa))
