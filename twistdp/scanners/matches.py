"""The files that match patterns, and the devices that they become."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from operator import attrgetter
from typing import Final, NamedTuple

from twistdp.model import DeviceInfo
from twistdp.scanners.match import Groups, Match, order
from twistdp.scanners.patterns import Identity

REST: Final = 0.05
"""Seconds without a new link to a node after which udev should have made all of them."""


class Known(NamedTuple):
    """A file that is known by a link to it."""

    identity: Identity
    path: str


class Matches:
    """Matching files, and one device for each of them, however many names it has.

    A file's own name counts.  If only links to it match, its name is the first of the links that
    were made when it appeared, by pattern and then by path.  It keeps that name as long as the file
    exists, since a pod may have the device under it: if the link leads elsewhere later, the file is
    left out.

    `named` returns the name of a match's device, `device` the device that the matches of one name
    make together, and `ids` its ids.  `is_still` returns whether the file at a path has an
    identity.  There are at most `most` devices: existing ones stay, and others follow in order
    when there is room.

    The cost of adding, removing and settling depends only on the files concerned.
    """

    def __init__(
        self,
        named: Callable[[Match], str],
        device: Callable[[str, Sequence[Match]], DeviceInfo],
        ids: Callable[[str], Iterable[str]],
        is_still: Callable[[str, Identity], bool],
        most: int,
    ) -> None:
        self._named = named
        self._device = device
        self._ids = ids
        self._is_still = is_still
        self._most = most
        self._by_path: dict[str, Match] = {}
        self.of_pattern: Counter[int] = Counter()
        """How many files count for each pattern, by its index."""
        self._by_real = Groups()
        self._changed: set[str] = set()  # real paths whose name may have changed
        self._names: dict[str, Match] = {}  # by real path
        self._by_id = Groups()  # the matches that count
        self.devices: dict[str, DeviceInfo] = {}
        """By id; valid until the next change."""
        self._waiting: set[str] = set()  # names for whose ids there was no room
        self.known: dict[str, Known] = {}
        """By real path: the files that are listed under the name of a link."""
        self.lost: dict[str, Known] = {}
        """Those of them whose link leads elsewhere, or nowhere, while they still exist."""
        self.without_effect: set[int] = set()
        """Patterns that match links to files that another pattern matches by their own names."""

    def __iter__(self) -> Iterator[Match]:
        return iter(self._by_path.values())

    def __len__(self) -> int:
        """How many files match."""
        return len(self._by_path)

    @property
    def names(self) -> int:
        """How many names of devices there are, listed or not."""
        return len(self._by_id)

    def get(self, path: str) -> Match | None:
        """The match at a path."""
        return self._by_path.get(path)

    def fate(self, match: Match) -> tuple[Match | None, Match, Sequence[str]]:
        """The match under whose name a match's file is known, if one is; the first of its device;
        and the ids under which that is listed."""
        known = self._names.get(match.real)
        if known is None:
            return None, match, ()
        name = self._named(known)
        return (
            known,
            self._by_id.of(name)[0],
            [id_ for id_ in self._ids(name) if id_ in self.devices],
        )

    def update(self, found: Mapping[str, Match]) -> None:
        """Replace all matches, by path.  Objects that are there already cost next to nothing."""
        fresh = [match for path, match in found.items() if self._by_path.get(path) is not match]
        for path in [path for path, old in self._by_path.items() if found.get(path) is not old]:
            self.remove(self._by_path[path])
        for match in fresh:
            self.add(match)

    def add(self, match: Match) -> None:
        """Add a match at a new path."""
        self._by_path[match.path] = match
        self.of_pattern[match.number] += 1
        self._by_real.add(match.real, match)
        self._changed.add(match.real)

    def remove(self, match: Match) -> None:
        """Remove a match."""
        del self._by_path[match.path]
        self.of_pattern[match.number] -= 1
        if not self.of_pattern[match.number]:
            del self.of_pattern[match.number]
        self._by_real.remove(match.real, match)
        self._changed.add(match.real)

    def unsettled(self) -> dict[str, list[str]]:
        """Links to new files, by real path: udev may be making more of them."""
        return {
            real: [match.path for match in matches]
            for real in self._changed
            if (matches := self._by_real.of(real))
            and matches[0].made is not None  # as usual, and quicker
            and all(match.made is not None for match in matches)
            and not self._is_known(real, matches)
        }

    def settle(self) -> None:
        """Update the devices after matches were added and removed."""
        touched: dict[str, None] = {}
        for real in self._changed | self.lost.keys():
            before, now = self._names.get(real), self._name(real)
            if now is before:
                continue
            if before is not None:
                id_ = self._named(before)
                self._by_id.remove(id_, before)
                del self._names[real]
                touched[id_] = None
            if now is not None:
                id_ = self._named(now)
                self._by_id.add(id_, now)
                self._names[real] = now
                touched[id_] = None
        self._changed.clear()
        for base in touched:
            if base not in self._by_id:
                self._waiting.discard(base)
                for id_ in self._ids(base):
                    self.devices.pop(id_, None)
        present = {base for base in touched if base in self._by_id}
        if len(self.devices) < self._most:
            present |= self._waiting
        for base in sorted(present, key=lambda base: order(self._by_id.of(base)[0])):
            self._list(base)

    def _list(self, base: str) -> None:
        """List the device of that name if there is room."""
        self._waiting.discard(base)
        ids = list(self._ids(base))
        if len(self.devices) >= self._most and ids[0] not in self.devices:
            self._waiting.add(base)
            return
        device = self._device(base, self._by_id.of(base))
        for id_ in ids:
            known = self.devices.get(id_)
            if known is None and len(self.devices) >= self._most:
                self._waiting.add(base)
                break
            if known != device:
                self.devices[id_] = device

    def _name(self, real: str) -> Match | None:
        """The match under whose name a file is listed, if any."""
        matches = self._by_real.of(real)
        self.lost.pop(real, None)
        own = [match for match in matches if match.made is None]
        if own:
            self.known.pop(real, None)
            if len(matches) == 1:  # as usual: min() would make a key of it
                return own[0]
            self.without_effect.update(
                {match.number for match in matches} - {match.number for match in own}
            )
            return min(own, key=lambda match: (match.path != real, *order(match)))
        if not self._is_known(real, matches):
            if not matches:
                self.known.pop(real, None)
                return None
            first = min(_made_together(matches), key=order)
            assert first.identity is not None
            self.known[real] = Known(first.identity, first.path)
            return first
        known = self.known[real]
        for match in matches:
            if match.path == known.path:
                return match
        self.lost[real] = known
        return None

    def _is_known(self, real: str, matches: Sequence[Match]) -> bool:
        """Whether it is still the file whose link was chosen."""
        known = self.known.get(real)
        if known is None:
            return False
        if matches:
            return any(match.identity == known.identity for match in matches)
        return self._is_still(real, known.identity)


def _made_together(links: Iterable[Match]) -> Iterator[Match]:
    """The links that were made without a `REST` in between, beginning with the oldest.

    Times of links are only compared with each other, so the clock's setting does not matter, and a
    process that starts later gets the same result.
    """
    ordered = sorted(links, key=attrgetter("made"))
    latest = ordered[0].made or 0

    def follows(link: Match) -> bool:
        nonlocal latest
        made = link.made or 0
        near = made - latest <= REST * 1e9
        latest = made
        return near

    return takewhile(follows, ordered)
