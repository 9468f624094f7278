"""A file that matches a pattern, and ordered groups of such."""

import stat
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from twistdp.model import DeviceSpec, Mount, natural_key
from twistdp.scanners.patterns import Identity


class Match(NamedTuple):
    """A file that a pattern matches.

    `number` is the pattern's, `real` the file's path without links, and `kind` the `stat.S_IFMT` of
    its mode.  For a link, `made` is the time of its creation in nanoseconds, and `identity` that of
    the file that it leads to; both are None otherwise.  `whole` is the directory whose files are
    one device together.  `part` is what a container gets.
    """

    number: int
    path: str
    real: str
    kind: int
    part: DeviceSpec | Mount
    made: int | None = None
    identity: Identity | None = None
    whole: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it is a plain file under its own name."""
        return self.kind == stat.S_IFREG and self.real is self.path


def order(match: Match) -> tuple[int, str]:
    """Sorts matches by pattern, and then by path in natural order."""
    return match.number, natural_key(match.path)


class Groups:
    """Ordered matches by some text of theirs; a single one, the usual case, needs no list."""

    def __init__(self) -> None:
        self._groups: dict[str, Match | list[Match]] = {}

    def __contains__(self, text: str) -> bool:
        return text in self._groups

    def __iter__(self) -> Iterator[str]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)

    def of(self, text: str) -> Sequence[Match]:
        """The matches of a text; valid until the next change."""
        group = self._groups.get(text, ())
        return (group,) if isinstance(group, Match) else group

    def add(self, text: str, match: Match) -> None:
        """Add a match that is not there."""
        group = self._groups.setdefault(text, match)
        if group is match:
            return
        if isinstance(group, Match):
            group = self._groups[text] = [group]
        insort(group, match, key=order)

    def remove(self, text: str, match: Match) -> None:
        """Remove a match that is there."""
        group = self._groups[text]
        if isinstance(group, Match):
            del self._groups[text]
        else:
            # list.remove would compare each of thousands.
            at = bisect_left(group, order(match), key=order)
            while group[at] is not match:
                at += 1
            del group[at]
            if len(group) == 1:
                self._groups[text] = group[0]
