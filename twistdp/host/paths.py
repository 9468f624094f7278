"""Checks that only root and our user decide what the paths of devices lead to.

The rules are those of `twistdp.host.trust`, for thousands of paths: the checks of a directory are
remembered, so that a path costs one look at its end.  A path that passes can be used by its name
afterwards: nobody but root and our user can change any part of it.

A device node may belong to another user where only root and we may put one, as a terminal in
``/dev/pts`` does: its owner cannot replace it.  In a directory where others may make entries
(``/dev/shm``, ``/tmp``), an entry that belongs to root or us is safe, unless it has a second name
or is a mount point: others may have put such an entry there.
"""

import os
import stat
from collections.abc import Collection
from itertools import islice
from typing import Final, NamedTuple

from twistdp.errors import Untrusted
from twistdp.host.listing import ABSENT
from twistdp.host.trust import MOST_LINKS, may_others_write, problem_of

_MOST_PLACES: Final = 10_000
"""The most directories that are remembered."""


class Place(NamedTuple):
    """The end of a path, without links.

    `problem` is what lets others change it.  `is_open` means that it is a directory in which others
    may make entries.  `device` is the number of its file system; None if nothing is there.
    `is_unknown` means that the problem is just that it cannot be looked at.  `is_fleeting` means
    that others may put something there once root or we remove a part of the way.
    """

    real: str
    problem: Untrusted | None = None
    is_open: bool = False
    device: int | None = None
    is_unknown: bool = False
    is_fleeting: bool = False

    def is_like(self, other: "Place") -> bool:
        """Whether nothing has changed; of problems, which are made for each look, in the reason."""
        reasons = {place.problem and place.problem.reason for place in (self, other)}
        return len(reasons) == 1 and self._replace(problem=other.problem) == other


class HostPaths:
    """Checks paths; valid until somebody changes the directories, unless it is renewed."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._has_forgotten = False

    def check(self, path: str, checked: Collection[str] = ()) -> bool:
        """Raise `Untrusted` if others could change what the absolute `path` leads to.

        A path that leads nowhere passes if only root and we could make something there.  Returns
        whether it is fleeting: then it has to be checked again after something may have been
        removed.  Of a path that has just been `checked`, only the directory is looked at if nobody
        else may make entries there.
        """
        # For each of thousands of devices: dirname() and suppress() took a third of the time.
        known = self._places.get(path.rpartition("/")[0])
        if known is not None:
            if path in checked and known.problem is None and not known.is_open:
                return False
            try:
                if is_safe(known, os.lstat(path)):
                    return False
            except OSError:
                pass  # it is looked at step by step below
        found = self._look(path, 0)
        if found.problem is not None:
            raise found.problem.for_path(path)
        return found.is_fleeting

    def place(self, directory: str) -> Place:
        """Return the place that the absolute path of a directory leads to."""
        return self._places.get(directory) or self._walk(directory, 0)

    def entry(self, place: Place, name: str, found: os.stat_result | None = None) -> Place:
        """Return the place that an entry leads to; `found` is the result of lstat(2) for it."""
        return self._step(place, name, found, 0)

    def renew(self, most: int) -> bool:
        """Look again at `most` of the directories, in turn; return whether one may have changed.

        If so, forgets all of them.
        """
        if self._has_forgotten:
            self._has_forgotten = False
            self._places.clear()
            return True
        now = HostPaths()
        for path in list(islice(self._places, most)):
            place = self._places[path] = self._places.pop(path)  # its next turn comes last
            if not now.place(path).is_like(place):
                self._places.clear()
                return True
        return False

    def _look(self, path: str, links: int) -> Place:
        directory, name = os.path.split(path)
        if name in ("", ".", ".."):
            return self._walk(path, links)
        known = self._places.get(directory) or self._walk(directory, links)
        return self._step(known, name, None, links)

    def _walk(self, directory: str, links: int) -> Place:
        place = self._root()
        text = ""
        for part in directory.split("/"):
            if part in ("", "."):
                continue
            text = f"{text}/{part}"
            known = self._places.get(text)
            if known is None:
                if part == "..":  # no link is left in the real path
                    known = self._walk(os.path.dirname(place.real), links)
                else:
                    known = self._step(place, part, None, links)
                if len(self._places) >= _MOST_PLACES:
                    self._places.clear()
                    self._has_forgotten = True
                self._places[text] = known
            place = known
            if place.problem is not None:
                break
        return place

    def _root(self) -> Place:
        found = self._places.get("/")
        if found is None:
            found = self._places["/"] = _seen("/", os.lstat("/"), None)
        return found

    def _step(self, place: Place, name: str, found: os.stat_result | None, links: int) -> Place:
        there = os.path.join(place.real, name)
        if place.problem is not None:
            return Place(there, place.problem, is_unknown=place.is_unknown)
        if found is None:
            try:
                found = os.lstat(there)
            except OSError as error:
                return _missing(there, place, error)
        seen = _seen(there, found, place)
        if seen.problem is not None or not stat.S_ISLNK(found.st_mode):
            return seen
        if links >= MOST_LINKS:
            return Place(there)  # for the kernel it leads nowhere
        try:
            end = self._look(os.path.join(place.real, os.readlink(there)), links + 1)
        except OSError as error:
            return _missing(there, place, error)
        return end._replace(is_fleeting=True) if seen.is_fleeting else end


def is_safe(place: Place, found: os.stat_result) -> bool:
    """Whether an entry of a directory needs no closer look; most entries need none.

    It runs thousands of times a scan, so it is quick.  `found` is the result of lstat(2).
    """
    if place.problem is not None or place.is_open:
        return False
    kind = stat.S_IFMT(found.st_mode)
    return kind in (stat.S_IFCHR, stat.S_IFBLK) or (kind == stat.S_IFREG and found.st_uid == 0)


def check_trusted(path: str) -> None:
    """Raise `twistdp.Untrusted` if others than root and our user could change what `path` is.

    For scanners that look in directories in which others may write.  Each directory on the way,
    and each step of a link, must belong to root or to us, and nobody else may write there; entries
    of a sticky directory such as ``/dev/shm`` pass if they belong to root or us.  The end of the
    path must belong to root or us too, unless it is a device node.  A path that leads nowhere
    passes if only root and we could make something there.
    """
    HostPaths().check(os.path.join(os.getcwd(), path))


def _seen(there: str, found: os.stat_result, above: Place | None) -> Place:
    """Judge an entry of a directory that is safe itself."""
    mode = found.st_mode
    open_above = above is not None and above.is_open
    is_node = stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
    if (not is_node or open_above) and (problem := problem_of(there, found, sticky_helps=True)):
        return Place(there, problem)
    if open_above:
        assert above is not None
        if not stat.S_ISDIR(mode) and found.st_nlink > 1:
            return Place(there, _put_there(there, above, "has other names"))
        if found.st_dev != above.device:
            return Place(there, _put_there(there, above, "is a mount point"))
    is_open = stat.S_ISDIR(mode) and may_others_write(there, found)
    return Place(there, None, is_open, found.st_dev, is_fleeting=open_above)


def _missing(there: str, above: Place, error: OSError) -> Place:
    """Return the place of an entry that does not exist, or cannot be looked at."""
    if error.errno not in ABSENT:
        return Place(
            there,
            Untrusted(
                there,
                f"{there} cannot be looked at: {error.strerror}",
                "let the plugin look at it",
            ),
            is_unknown=True,
        )
    if above.is_open:
        return Place(there, _put_there(there, above, "is missing"))
    return Place(there)


def _put_there(there: str, above: Place, what: str) -> Untrusted:
    return Untrusted(
        there,
        f"{there} {what}, and others may put something in {above.real}",
        "use a directory in which only root may write",
    )
