"""The files that match patterns, and the devices that they come to."""

import os
import stat
from bisect import insort
from collections.abc import Iterator, Mapping, Sequence

import attrs

from twistdp.devices import DeviceInfo, Devices
from twistdp.naming import natural_key, plain_id


@attrs.frozen
class Match:
    """A file that a pattern matches, and the device that it is.

    `index` is the pattern's, `real` the file's path without links, and `kind` what `stat.S_IFMT`
    says of it: as long as these stay, so does the device.
    """

    index: int
    path: str
    real: str
    kind: int
    info: DeviceInfo

    @property
    def is_plain(self) -> bool:
        """Whether it is a plain file under its own name."""
        return self.kind == stat.S_IFREG and self.real is self.path


def _order(match: Match) -> tuple[int, str]:
    return match.index, natural_key(match.path)


@attrs.define
class _Groups:
    """Matches by some text of theirs, in order; mostly one, and then there is no list of it."""

    _groups: dict[str, "Match | list[Match]"] = attrs.Factory(dict)

    def __len__(self) -> int:
        return len(self._groups)

    def of(self, text: str) -> Sequence[Match]:
        """Those of a text; valid until the next change."""
        group = self._groups.get(text, ())
        return (group,) if isinstance(group, Match) else group

    def firsts(self) -> list[Match]:
        """The first one of each text."""
        return [self.of(text)[0] for text in self._groups]

    def add(self, text: str, match: Match) -> None:
        """Add one that is not there."""
        group = self._groups.setdefault(text, match)
        if group is match:
            return
        if isinstance(group, Match):
            group = self._groups[text] = [group]
        insort(group, match, key=_order)

    def remove(self, text: str, match: Match) -> None:
        """Remove one that is there."""
        group = self._groups[text]
        if isinstance(group, Match):
            del self._groups[text]
        else:
            group.remove(match)
            if len(group) == 1:
                self._groups[text] = group[0]


class Matches:
    """Matching files; of those that are one file the first one counts: by pattern, then by path.

    To add and to remove one costs what it concerns, whatever there is else.
    """

    def __init__(self) -> None:
        self._by_path: dict[str, Match] = {}
        self._by_real = _Groups()
        self._by_name = _Groups()  # those that count
        self._by_id = _Groups()
        self._devices: dict[str, DeviceInfo] = {}

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
        first = Matches()
        first.update(
            {match.path: match for match in sorted(self._by_real.firsts(), key=_order)[:most]}
        )
        return first._devices

    def update(self, found: Mapping[str, Match]) -> None:
        """Have just these, by path; what is the very same as before costs next to nothing."""
        fresh = [match for path, match in found.items() if self._by_path.get(path) is not match]
        for path in [path for path, old in self._by_path.items() if found.get(path) is not old]:
            self.remove(self._by_path[path])
        for match in sorted(fresh, key=_order):
            self.add(match)

    def add(self, match: Match) -> None:
        """Add a file whose path is not known."""
        self._by_path[match.path] = match
        counted = self._by_real.of(match.real)[:1]
        self._by_real.add(match.real, match)
        if self._by_real.of(match.real)[0] is match:
            for other in counted:
                self._discount(other)
            self._count(match)

    def remove(self, match: Match) -> None:
        """Remove a file that was added."""
        del self._by_path[match.path]
        counted = self._by_real.of(match.real)[0] is match
        self._by_real.remove(match.real, match)
        if counted:
            self._discount(match)
            for other in self._by_real.of(match.real)[:1]:
                self._count(other)

    def _count(self, match: Match) -> None:
        name = os.path.basename(match.path)
        namesakes = self._by_name.of(name)
        if len(namesakes) == 1:
            self._unname(namesakes[0], name, alone=True)
            self._name(namesakes[0], name, alone=False)
        self._name(match, name, alone=not namesakes)
        self._by_name.add(name, match)

    def _discount(self, match: Match) -> None:
        name = os.path.basename(match.path)
        self._unname(match, name, alone=len(self._by_name.of(name)) == 1)
        self._by_name.remove(name, match)
        namesakes = self._by_name.of(name)
        if len(namesakes) == 1:
            self._unname(namesakes[0], name, alone=False)
            self._name(namesakes[0], name, alone=True)

    def _name(self, match: Match, name: str, alone: bool) -> None:
        """Give a file its id; `alone` if no other has its name."""
        id_ = _id(match, name, alone)
        self._by_id.add(id_, match)
        self._devices[id_] = self._by_id.of(id_)[-1].info

    def _unname(self, match: Match, name: str, alone: bool) -> None:
        """Take back the id that it was given."""
        id_ = _id(match, name, alone)
        self._by_id.remove(id_, match)
        if holders := self._by_id.of(id_):
            self._devices[id_] = holders[-1].info
        else:
            del self._devices[id_]


def _id(match: Match, name: str, alone: bool) -> str:
    return plain_id(name, distinguish="" if alone else os.path.dirname(match.path))
