"""The files that match patterns, and the devices that they come to."""

import os
from bisect import insort
from collections.abc import Iterable, Iterator
from operator import attrgetter

import attrs

from twistdp.devices import DeviceInfo, Devices
from twistdp.naming import plain_id


@attrs.frozen
class Match:
    """A file that a pattern matches, and the device that it is."""

    order: tuple[object, ...]
    path: str
    real: str
    info: DeviceInfo


_order = attrgetter("order")


class Matches:
    """Matching files; of those that are one file the first one counts, by `Match.order`.

    To add and to remove one costs what it concerns, whatever there is else.
    """

    def __init__(self, matches: Iterable[Match] = ()) -> None:
        self._by_path: dict[str, Match] = {}
        self._by_real: dict[str, list[Match]] = {}
        self._by_name: dict[str, list[Match]] = {}  # those that count
        self._by_id: dict[str, list[Match]] = {}
        self._devices: dict[str, DeviceInfo] = {}
        for match in matches:
            self.add(match)

    def __iter__(self) -> Iterator[Match]:
        return iter(self._by_path.values())

    def __len__(self) -> int:
        """How many devices there are."""
        return len(self._by_real)

    def get(self, path: str) -> Match | None:
        """What is known of a path."""
        return self._by_path.get(path)

    def devices(self, most: int) -> Devices:
        """The devices by id, the first `most` of them."""
        if len(self) <= most:
            return self._devices
        first = sorted((same[0] for same in self._by_real.values()), key=_order)
        return Matches(first[:most])._devices

    def add(self, match: Match) -> None:
        """Add a file whose path is not known."""
        self._by_path[match.path] = match
        same = self._by_real.setdefault(match.real, [])
        counted = same[0] if same else None
        insort(same, match, key=_order)
        if same[0] is match:
            if counted is not None:
                self._discount(counted)
            self._count(match)

    def remove(self, match: Match) -> None:
        """Remove a file that was added."""
        del self._by_path[match.path]
        same = self._by_real[match.real]
        counted = same[0] is match
        same.remove(match)
        if counted:
            self._discount(match)
        if not same:
            del self._by_real[match.real]
        elif counted:
            self._count(same[0])

    def _count(self, match: Match) -> None:
        namesakes = self._by_name.setdefault(os.path.basename(match.path), [])
        namesakes.append(match)
        if len(namesakes) == 2:
            self._unname(namesakes[0], alone=True)
            self._name(namesakes[0], alone=False)
        self._name(match, alone=len(namesakes) == 1)

    def _discount(self, match: Match) -> None:
        name = os.path.basename(match.path)
        namesakes = self._by_name[name]
        self._unname(match, alone=len(namesakes) == 1)
        namesakes.remove(match)
        if len(namesakes) == 1:
            self._unname(namesakes[0], alone=False)
            self._name(namesakes[0], alone=True)
        elif not namesakes:
            del self._by_name[name]

    def _name(self, match: Match, alone: bool) -> None:
        """Give a file its id; `alone` if no other has its name."""
        id_ = _id(match, alone)
        holders = self._by_id.setdefault(id_, [])
        insort(holders, match, key=_order)
        self._devices[id_] = holders[-1].info

    def _unname(self, match: Match, alone: bool) -> None:
        """Take back the id that it was given."""
        id_ = _id(match, alone)
        holders = self._by_id[id_]
        holders.remove(match)
        if holders:
            self._devices[id_] = holders[-1].info
        else:
            del self._by_id[id_], self._devices[id_]


def _id(match: Match, alone: bool) -> str:
    directory, name = os.path.split(match.path)
    return plain_id(name, distinguish="" if alone else directory)
