"""Which files match patterns: whole directories are listed, or single paths are looked at again."""

import os
import stat
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Final

from twistdp.errors import BadDevice, Untrusted
from twistdp.host import ABSENT, HostPaths, Place, is_safe
from twistdp.klog import V
from twistdp.model import DeviceSpec, Mount
from twistdp.scanners.complaints import Complaints
from twistdp.scanners.matches import Match, Matches
from twistdp.scanners.patterns import (
    MOST_DIRECTORIES,
    Pattern,
    identity,
    is_directory,
    link_steps,
    looked_at,
    real_path,
)
from twistdp.scanners.targets import Targets

_MOST_NAMES: Final = 50_000
"""So many names of files are kept, but as many as there may be devices in any case."""

_SPARE: Final = 1000
"""So many names are kept beside those of the devices that may be listed."""

_MOST_EXAMINED: Final = 200_000
"""So many files that are not known are looked at in one scan."""

MOST_WATCHED: Final = 1000
"""So many directories that patterns stand for are watched."""


class Search:
    """Keeps `matches` as the file system is.

    `part` says what a container gets of a file, by its path, kind and the directory that it is a
    part of; None if it is nothing to get.  `checks` says whether paths that others could change
    are left out.  What is wrong is added to `complaints`, and what matches and is no device to
    `left_out`.
    """

    def __init__(
        self,
        patterns: Sequence[Pattern],
        matches: Matches,
        part: Callable[[str, int, str | None], DeviceSpec | Mount | None],
        *,
        checks: Callable[[], bool],
        nodes_only: bool,
        max_devices: int,
        complaints: Complaints,
        left_out: Complaints,
    ) -> None:
        self._patterns = patterns
        self._matches = matches
        self._part = part
        self._checks = checks
        self._nodes_only = nodes_only
        self._complaints = complaints
        self._left_out = left_out
        self._most_names = max(max_devices, min(_SPARE + 4 * max_devices, _MOST_NAMES))
        self._room = self._examinations = 0  # for files that are not known yet
        self._hosts = HostPaths()
        self._directories: dict[str, list[Pattern]] = {}
        self._tops = {pattern.top: None for pattern in self._patterns}
        self._refused: set[str] = set()  # those of them in which others decide what is there
        self._parents: set[str] = set()  # where directories that patterns stand for appear
        self._targets = Targets()
        self.unfit: Counter[int] = Counter()
        """By a pattern's index, how many files match and are no devices."""
        self.beyond = 0
        """Files that are not known, for which there was no room."""
        self.watches_all = True
        """Whether all directories are watched in which something may change."""
        self.watched = self._watched()
        """The directories to watch."""

    def is_covered(self, pattern: Pattern) -> bool:
        """Whether what `pattern` matches counts for patterns before it."""
        return any(
            other.index == pattern.index and other.matches(os.path.basename(match.path))
            for match in self._matches
            for other in self._directories.get(os.path.dirname(match.path), ())
        )

    def look(self) -> None:
        """List all directories."""
        unknown: list[str] = []
        listed: set[str] = set()

        def keep(path: str, error: OSError) -> None:
            unknown.append(path)
            self._complaints.add(
                path, f"cannot look at {path!r}, its devices stay as they were: {error.strerror}"
            )

        self.unfit.clear()
        self.beyond = 0
        self._refused.clear()
        known, parents = self._directories, self._parents
        self._directories, self._parents, self._targets = {}, set(), Targets()
        self._hosts = HostPaths()
        self._room, self._examinations = self._most_names - len(self._matches), _MOST_EXAMINED
        for pattern in self._patterns:
            *above, directories = pattern.levels(keep, self._is_allowed)
            if len(directories) > MOST_DIRECTORIES:
                self._complain_of_too_many(pattern)
                del directories[MOST_DIRECTORIES:]
            self._parents.update(path for level in above for path in level[:MOST_DIRECTORIES])
            for directory in directories:
                self._directories.setdefault(directory, []).append(pattern)
            if pattern.is_literal and directories:
                self._parents.add(pattern.directory)
                if is_directory(pattern.text, keep) and self._is_allowed(pattern.text):
                    self._directories.setdefault(pattern.text, []).append(pattern.inside())
        # What is below need not have gone, and is listed again as soon as that is possible.
        self._parents |= {path for path in parents if _is_below(path, unknown)}
        for directory in known.keys() - self._directories:
            if _is_below(directory, unknown):
                self._directories[directory] = known[directory]
        found: dict[str, Match] = {}
        # Last those that others may fill with any number of files, so that what is bounded is left
        # for the devices in the rest.
        for directory, patterns in sorted(self._directories.items(), key=self._is_open):
            into = partial(self._list, patterns=patterns, found=found)
            # A directory that is missing is watched, and listed when it appears.
            if looked_at(directory, into, keep):
                listed.add(directory)
            elif directory not in unknown and os.path.exists(directory):
                self._complaints.add(directory, f"cannot look at {directory!r}: it is no directory")
        if unknown:
            for match in self._matches:
                directory = os.path.dirname(match.path)
                if directory not in listed and _is_below(directory, unknown):
                    found[match.path] = match
        self._matches.update(found)
        self.watched = self._watched()

    def follow(self, changed: Collection[str]) -> bool:
        """Look again at these paths only; whether that was not enough, and all was looked at."""
        paths = {path for path in changed if os.path.dirname(path) in self._directories}
        links = {link for path in changed for link in self._targets.links_to(path)}
        known = self._directories.keys() | self._parents
        if any(path in self._directories for path in {*changed, *links}):
            return self._look_at_all()  # one that could not be listed before, perhaps
        if any(
            os.path.dirname(path) in self._parents and (path in known or os.path.isdir(path))
            for path in {*changed, *links}
        ):
            # A directory that a pattern stands for may have come or gone.
            return self._look_at_all()
        self._hosts = HostPaths()
        self._room, self._examinations = self._most_names - len(self._matches), _MOST_EXAMINED
        places = {
            directory: self._place(directory) for directory in map(os.path.dirname, paths | links)
        }
        if not all(map(self._is_allowed, places)):
            return self._look_at_all()
        targets = len(self._targets.directories)
        for path in paths | links:
            directory, name = os.path.split(path)
            before = self._matches.get(path)
            match = self._examine(path, name, self._directories[directory], *places[directory])
            if match is not before:
                if before is not None:
                    self._matches.remove(before)
                if match is not None:
                    self._matches.add(match)
        if len(self._targets.directories) != targets:
            self.watched = self._watched()
        return False

    def _look_at_all(self) -> bool:
        self.look()
        return True

    def _is_allowed(self, directory: str) -> bool:
        """Whether a directory may be looked in: others do not decide what is there."""
        place = self._hosts.place(directory)
        if place.problem is None or place.is_unknown or not self._checks():
            return True
        self._complain_of_others(directory, place.problem)
        if directory in self._tops:
            self._refused.add(directory)
        above = os.path.dirname(directory)
        if self._hosts.place(above).problem is None:
            self._parents.add(above)  # which reports it when that has been fixed
        return False

    def _is_open(self, item: tuple[str, object]) -> bool:
        """Whether others may make entries in a directory, the first of `item`."""
        place = self._hosts.place(item[0])
        return place.is_open or place.problem is not None

    def _list(self, directory: str, patterns: Sequence[Pattern], found: dict[str, Match]) -> bool:
        """Add what matches in a directory, one after the other: there may be any number."""
        place, real = self._place(directory)
        is_safe = place.problem is None and not place.is_open and real == directory
        with os.scandir(directory) as entries:
            for entry in entries:
                plain = _is_plain(entry)
                match = self._matches.get(entry.path)
                # A plain file stays what it was; of others, entries do not tell enough.
                if not (plain and is_safe and match and match.is_plain):
                    plain = plain and self._nodes_only
                    match = self._examine(entry.path, entry.name, patterns, place, real, plain)
                if match is not None:
                    found[entry.path] = match
        return True

    def _place(self, directory: str) -> tuple[Place, str]:
        """What is known of a directory, and its path without links."""
        place = self._hosts.place(directory)
        return place, real_path(directory) if place.problem else place.real

    def _watched(self) -> list[str]:
        """The directories to watch: those that are listed, those that wildcards in the middle
        of a pattern start from, and those that links lead to."""
        watched = dict.fromkeys([*self._directories, *self._parents])
        watched.update((top, None) for top in self._tops if top not in self._refused)
        self.watches_all = len(watched) <= MOST_WATCHED and not self._targets.is_full
        return [*islice(watched, MOST_WATCHED), *self._targets.directories]

    def _examine(
        self,
        path: str,
        name: str,
        patterns: Iterable[Pattern],
        place: Place,
        real_directory: str,
        plain: bool = False,
    ) -> Match | None:
        """What `path` is, if it matches and is a device; a bad file never costs the others.

        The very same object as before when nothing changed, or when nothing can be known.
        `plain`: it is known for a plain file.
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
            if status is not None and not is_safe(place, status):
                end = self._hosts.entry(place, name, status)
            if end is not None and end.problem is not None and self._checks():
                if end.is_unknown:
                    return before
                self._complain_of_others(path, end.problem)
                return None
            kind = stat.S_IFREG if status is None else stat.S_IFMT(status.st_mode)
            real = os.path.join(real_directory, name)
            if real == path:
                real = path  # one text for both, for each of thousands of devices
            if status is not None and kind == stat.S_IFLNK:
                for step in link_steps(path):
                    self._targets.add(step, path)
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
                self._complain_of_others(path, end.problem)  # whatever is allowed
                return None
        except FileNotFoundError:
            return None  # gone meanwhile, or a link to what is not there yet
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
            self.unfit[pattern.index] += 1
            if V(1):
                self._left_out.add(path, f"{path!r}: {_why(kind)}")
            return None
        if before is None:
            self._room -= 1
        return Match(pattern.index, path, real, kind, part, made, known, pattern.whole)

    def _complain_of_others(self, path: str, problem: Untrusted) -> None:
        self._complaints.add(
            path,
            f"left out {path!r}, since others could make it lead to any file of the node: "
            f"{problem.reason}; {problem.remedy} (--check-paths=false allows device nodes)",
        )

    def _complain_of_too_many(self, pattern: Pattern) -> None:
        self._complaints.add(
            pattern.text,
            f"pattern {pattern.text!r} stands for more than {MOST_DIRECTORIES} directories: the "
            "rest is left out; narrow the pattern",
        )


def _is_plain(entry: os.DirEntry[str]) -> bool:
    """Whether it is a plain file, and no link to one, as far as its directory tells."""
    with suppress(OSError):  # of file systems that do not tell it there
        return entry.is_file(follow_symlinks=False)
    return False


def _why(kind: int) -> str:
    if kind == stat.S_IFREG:
        return "it is a plain file; nodes_only=false takes those too"
    return "it is a directory" if kind == stat.S_IFDIR else "it is neither a node nor a file"


def _is_below(path: str, tops: Iterable[str]) -> bool:
    return any(path == top or path.startswith(os.path.join(top, "")) for top in tops)
