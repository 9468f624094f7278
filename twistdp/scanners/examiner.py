"""Examines single paths: what a path that a pattern matches is, and whether it is a device."""

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from twistdp.errors import BadDevice, Untrusted
from twistdp.host import ABSENT, HostPaths, Place, is_safe
from twistdp.model import DeviceSpec, Mount
from twistdp.scanners.complaints import Complaints
from twistdp.scanners.match import Match
from twistdp.scanners.matches import Matches
from twistdp.scanners.patterns import Pattern, identity, link_steps, real_path
from twistdp.scanners.targets import Targets

_MOST_NAMES: Final = 50_000
"""Names of files that are kept, unless there may be more devices."""

_SPARE: Final = 1000
"""Names that are kept besides those of the devices that may be listed."""

_MOST_EXAMINED: Final = 200_000
"""Unknown files that are examined in one scan."""


class Examiner:
    """Examines paths for the patterns that match them, and compares them with `matches`.

    `part` returns what a container gets of a file, by its path, its kind and the directory that it
    is a part of, or None if it is no device.  `checks` returns whether paths that others could
    change are left out.  Problems go to `complaints`, and matching files that are no devices to
    `left_out`.
    """

    def __init__(
        self,
        matches: Matches,
        part: Callable[[str, int, str | None], DeviceSpec | Mount | None],
        *,
        checks: Callable[[], bool],
        nodes_only: bool,
        max_devices: int,
        complaints: Complaints,
        left_out: Complaints,
    ) -> None:
        self._matches = matches
        self._part = part
        self._checks = checks
        self._nodes_only = nodes_only
        self._complaints = complaints
        self._left_out = left_out
        self._most_names = max(max_devices, min(_SPARE + 4 * max_devices, _MOST_NAMES))
        self._room = self._examinations = 0  # for unknown files
        self._hosts = HostPaths()
        self.targets = Targets()
        """What the links among the examined paths lead to."""
        self.checked: set[str] = set()
        """The examined paths that only root and we can change.
        The scanner empties it before it begins."""
        self.unfit: Counter[int] = Counter()
        """By a pattern's index, how many files match and are no devices."""
        self.beyond = 0
        """Unknown files for which there was no room."""

    def begin(self, everything: bool) -> None:
        """Begin a scan, of `everything` or of some paths: look at directories again."""
        if everything:
            self.targets = Targets()
            self.unfit.clear()
            self.beyond = 0
        self._hosts = HostPaths()
        self._room, self._examinations = self._most_names - len(self._matches), _MOST_EXAMINED

    def is_open(self, directory: str) -> bool:
        """Whether others may make entries in a directory."""
        place = self._hosts.place(directory)
        return place.is_open or place.problem is not None

    def is_sound(self, directory: str) -> bool:
        """Whether nobody else decides what a directory holds."""
        return self._hosts.place(directory).problem is None

    def is_refused(self, directory: str) -> bool:
        """Whether a directory is left out, with a complaint, since others decide what it holds."""
        place = self._hosts.place(directory)
        if place.problem is None or place.is_unknown or not self._checks():
            return False
        self._complain_of_others(directory, place.problem)
        return True

    def place(self, directory: str) -> tuple[Place, str]:
        """What is known of a directory, and how paths of its entries begin, without links."""
        place = self._hosts.place(directory)
        real = real_path(directory) if place.problem else place.real
        return place, os.path.join(real, "")

    def list(self, directory: str, patterns: Iterable[Pattern], found: dict[str, Match]) -> None:
        """Add the matches in a directory, one by one: there may be any number of entries."""
        place, prefix = self.place(directory)
        is_own = prefix == os.path.join(directory, "")
        is_safe = place.problem is None and not place.is_open and is_own
        with os.scandir(directory) as entries:
            for entry in entries:
                plain = _is_plain(entry)
                match = self._matches.get(entry.path)
                # A plain file stays what it was; entries do not show enough about others.
                if not (plain and is_safe and match and match.is_plain):
                    plain = plain and self._nodes_only
                    match = self.examine(entry.path, entry.name, patterns, place, prefix, plain)
                if match is not None:
                    found[entry.path] = match

    def examine(
        self,
        path: str,
        name: str,
        patterns: Iterable[Pattern],
        place: Place,
        prefix: str,
        plain: bool = False,
    ) -> Match | None:
        """The match at `path`, if a pattern matches and it is a device.

        Returns the same object as before if nothing has changed or nothing can be known.  A bad
        file never affects the others.  With `plain` it is known to be a plain file.
        """
        for pattern in patterns:
            if pattern.matches(name):
                break
        else:
            return None
        before = self._matches.get(path)
        if before is None and not plain:
            if self._room <= 0 or self._examinations <= 0:
                self.beyond += 1
                return None
            self._examinations -= 1
        made = known = None
        try:
            status = None if plain else os.lstat(path)
            end = None
            if status is not None:
                if is_safe(place, status):
                    self.checked.add(path)
                else:
                    self.checked.discard(path)
                    end = self._hosts.entry(place, name, status)
            if end is not None and end.problem is not None and self._checks():
                if end.is_unknown:
                    return before
                self._complain_of_others(path, end.problem)
                return None
            kind = stat.S_IFREG if status is None else stat.S_IFMT(status.st_mode)
            real = prefix + name
            if real == path:
                real = path  # one text for both, for each of thousands of devices
            if status is not None and kind == stat.S_IFLNK:
                for step in link_steps(path):
                    self.targets.add(step, path)
                made = status.st_mtime_ns
                status = os.stat(path)
                kind, known = stat.S_IFMT(status.st_mode), identity(status)
                real = real_path(path) if end is None or end.problem else end.real
            if before is not None and (
                (before.kind, before.real, before.made, before.identity, before.whole)
                == (kind, real, made, known, pattern.whole)
            ):
                return before
            part = self._part(path, kind, pattern.whole)
            if isinstance(part, Mount) and end is not None and end.problem is not None:
                self._complain_of_others(path, end.problem)  # whatever check_paths allows
                return None
        except FileNotFoundError:
            return None  # it has just gone, or is a link to something that is not there yet
        except OSError as error:
            if error.errno in ABSENT:
                self._complaints.add(path, f"left out {path!r}: {error}")
                return None
            self._complaints.add(
                path, f"cannot look at {path!r}, it stays what it was: {error.strerror}"
            )
            return before
        except BadDevice as error:
            self._complaints.add(path, f"left out {path!r}: {error}")
            return None
        if part is None:
            self.unfit[pattern.number] += 1
            if self._left_out.is_wanted():
                self._left_out.add(path, f"{path!r}: {_why(kind)}")
            return None
        if before is None:
            self._room -= 1
        return Match(pattern.number, path, real, kind, part, made, known, pattern.whole)

    def _complain_of_others(self, path: str, problem: Untrusted) -> None:
        self._complaints.add(
            path,
            f"left out {path!r}, since others could make it lead to any file of the node: "
            f"{problem.reason}; {problem.remedy} (--check-paths=false allows device nodes)",
        )


def _is_plain(entry: os.DirEntry[str]) -> bool:
    """Whether the directory shows an entry as a plain file, and not as a link to one."""
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:  # some file systems do not show it there
        return False


def _why(kind: int) -> str:
    if kind == stat.S_IFREG:
        return "it is a plain file; nodes_only=false takes those too"
    return "it is a directory" if kind == stat.S_IFDIR else "it is neither a node nor a file"
