"""Devices by file name patterns."""

import os
import stat
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from time import sleep
from typing import Final

from twisted.logger import Logger

from twistdp.checking import check_path, check_permissions
from twistdp.devices import HEALTHY, DeviceInfo, DeviceSpec, DeviceTree, Mount
from twistdp.errors import BadDevice, Untrusted
from twistdp.hostpaths import HostPaths, Place, is_safe
from twistdp.klog import V
from twistdp.listing import ABSENT
from twistdp.naming import check_resource_type, device_id
from twistdp.scanners.complaints import Complaints
from twistdp.scanners.idle import IdlePatterns
from twistdp.scanners.matches import REST, Match, Matches
from twistdp.scanners.patterns import (
    MOST_DIRECTORIES,
    Pattern,
    identity,
    is_directory,
    is_still,
    link_steps,
    looked_at,
    real_path,
)
from twistdp.scanners.targets import MOST as MOST_TARGETS
from twistdp.scanners.targets import Targets
from twistdp.watching import WatchingScanner

_log = Logger()

_MOST_RESTS: Final = 10
"""So often more links to new devices are waited for."""


_MOST_NAMES: Final = 50_000
"""So many names of files are kept, but as many as there may be devices in any case."""

_SPARE: Final = 1000
"""So many names are kept beside those of the devices that may be listed."""

_MOST_EXAMINED: Final = 200_000
"""So many files that are not known are looked at in one scan."""

_MOST_WATCHED: Final = 1000
"""So many directories that patterns stand for are watched."""


class GlobScanner(WatchingScanner):
    """Every device node whose path matches a pattern is a device of one resource.

    `resource` is the resource's name after the slash.  `pattern` are absolute paths with the
    wildcards of a shell (``*``, ``?``, ``[...]``, no ``**``), repeatable or comma separated.  A
    pattern without wildcards that names a directory makes all nodes in it one device.  With
    ``nodes_only=False`` plain files count too and are mounted.  `permissions` are letters of
    ``rwm``; without ``w`` plain files are mounted read-only.  `max_devices` is a guard against a
    pattern that matches too much; so many still fit into one message to the kubelet.

    With `count`, each device is listed that often, for so many pods.  `container_path` is where the
    container finds what matched, for a directory the directory's place.  With `together`, all that
    matches is one device, named like the resource.

    The id is the path from the directory that all patterns have in common before their first
    wildcards, made a valid id by `twistdp.device_id`; with `count` a number from 0 follows.  It
    depends on nothing else.  The container gets the path that matched, which may be a link.
    Several names of one node are one device: by its own name where that matches, otherwise by the
    first link that udev made when it appeared, by pattern and then by name; it keeps that name as
    long as the node is there.
    """

    def __init__(
        self,
        resource: str,
        pattern: Sequence[str],
        permissions: str = "rw",
        nodes_only: bool = True,
        max_devices: int = 50_000,
        count: int | None = None,
        container_path: str | None = None,
        together: bool = False,
    ) -> None:
        texts = [pattern] if isinstance(pattern, str) else pattern
        parts = [part.strip() for text in texts for part in text.split(",") if part.strip()]
        if not parts:
            raise ValueError("pattern: give at least one, such as /dev/ttyUSB*")
        if max_devices < 1:
            raise ValueError(f"max_devices {max_devices}: it must be at least 1")
        if count is not None and not 1 <= count <= max_devices:
            raise ValueError(f"count {count}: it must be from 1 to max_devices, {max_devices}")
        if together and container_path is not None:
            raise ValueError(
                f"container_path {container_path!r}: with together=true several nodes would be at "
                "that one path; leave one of the two out"
            )
        self.resource = check_resource_type(resource)
        self._patterns = [Pattern.parse(index, text) for index, text in enumerate(parts)]
        self._base = os.path.join(os.path.commonpath([p.top for p in self._patterns]), "")
        self._permissions = permissions
        self._container_path = container_path
        if container_path is not None:
            check_path("container_path", container_path)
        check_permissions("permissions", permissions)
        self._nodes_only = nodes_only
        self._max_devices = max_devices
        self._count = count
        self._together = together
        self._matches = Matches(self._named, self._device, self._ids, is_still, max_devices)
        self._most_names = max(max_devices, min(_SPARE + 4 * max_devices, _MOST_NAMES))
        self._room = self._examinations = 0  # for files that are not known yet
        self._beyond = 0  # such files for which there was no room
        self._hosts = HostPaths()
        self._directories: dict[str, list[Pattern]] = {}
        self._refused: set[str] = set()  # directories in which others decide what is there
        self._parents: set[str] = set()  # where directories that patterns stand for appear
        self._targets = Targets()
        self._complaints = Complaints(self._warn)
        self._left_out = Complaints(self._tell_left_out)
        self._unfit: Counter[int] = Counter()  # by pattern, files that are no devices
        self._idle = IdlePatterns(self._patterns, self._warn, self._inform)
        self._overruled: set[int] = set()  # patterns that this was said of
        # Written contents do not matter, and in /dev they would be reported all the time.
        super().__init__(self._watched(), contents=False)

    def discover(self) -> DeviceTree:
        """List all directories."""
        self._look()
        return self._tree(everything=True)

    def _look(self) -> None:
        """List all directories."""
        unknown: list[str] = []
        listed: set[str] = set()

        def keep(path: str, error: OSError) -> None:
            unknown.append(path)
            self._complaints.add(
                path, f"cannot look at {path!r}, its devices stay as they were: {error.strerror}"
            )

        self._unfit.clear()
        self._beyond = 0
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
        for directory, patterns in self._directories.items():
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
        self.paths = self._watched()

    def _is_allowed(self, directory: str) -> bool:
        """Whether a directory may be looked in: others do not decide what is there."""
        place = self._hosts.place(directory)
        if place.problem is None or place.is_unknown or not self.check_paths:
            return True
        self._complain_of_others(directory, place.problem)
        self._refused.add(directory)
        above = os.path.dirname(directory)
        if self._hosts.place(above).problem is None:
            self._parents.add(above)  # which reports it when that has been fixed
        return False

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

    def follow(self, changed: Collection[str]) -> DeviceTree:
        """Look again at these paths only."""
        paths = {path for path in changed if os.path.dirname(path) in self._directories}
        links = {link for path in changed for link in self._targets.links_to(path)}
        known = self._directories.keys() | self._parents
        if any(path in self._directories for path in {*changed, *links}):
            return self.discover()  # whoever may list a directory now need not have been before
        if any(
            os.path.dirname(path) in self._parents and (path in known or os.path.isdir(path))
            for path in {*changed, *links}
        ):
            return self.discover()  # a directory that a pattern stands for may have come or gone
        self._hosts = HostPaths()
        self._room, self._examinations = self._most_names - len(self._matches), _MOST_EXAMINED
        places = {
            directory: self._place(directory) for directory in map(os.path.dirname, paths | links)
        }
        if not all(map(self._is_allowed, places)):
            return self.discover()
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
            self.paths = self._watched()
        return self._tree(everything=False)

    def _watched(self) -> list[str]:
        """The directories to watch: those that are listed, those that wildcards in the middle
        of a pattern start from, and those that links lead to."""
        watched = dict.fromkeys([*self._directories, *self._parents])
        tops = {pattern.top: None for pattern in self._patterns}
        watched.update((top, None) for top in tops if top not in self._refused)
        if self._targets.is_full or len(watched) > _MOST_WATCHED:
            self._complaints.add(
                "watches",
                f"there are too many directories to watch: {_MOST_WATCHED} of those that the "
                f"pattern matches are, and {MOST_TARGETS} of those that links lead to; what "
                f"changes in others is seen every {self.rescan_interval:g} s",
            )
        return [*islice(watched, _MOST_WATCHED), *self._targets.directories]

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
                self._beyond += 1
                return None
            self._examinations -= 1
        made = known = None
        try:
            status = None if plain else os.lstat(path)
            end = None
            if status is not None and not is_safe(place, status):
                end = self._hosts.entry(place, name, status)
            if end is not None and end.problem is not None and self.check_paths:
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
            self._unfit[pattern.index] += 1
            if V(1):
                self._left_out.add(path, f"{path!r}: {_why(kind)}")
            return None
        if before is None:
            self._room -= 1
        return Match(pattern.index, path, real, kind, part, made, known, pattern.whole)

    def _part(self, path: str, kind: int, whole: str | None) -> DeviceSpec | Mount | None:
        """What a container gets of a file; None if it is nothing to get."""
        inside = path
        if self._container_path is not None:
            inside = self._container_path
            if whole is not None:
                inside = os.path.join(inside, os.path.basename(path))
        if stat.S_ISCHR(kind) or stat.S_ISBLK(kind):
            return DeviceSpec(path, inside, self._permissions)
        if stat.S_ISREG(kind) and not self._nodes_only:
            return Mount(path, inside, "w" not in self._permissions)
        return None

    def _named(self, match: Match) -> str:
        """The id of a match's device, but for the number that `count` adds."""
        if self._together:
            return self.resource
        return device_id((match.whole or match.path).removeprefix(self._base))

    def _ids(self, name: str) -> list[str]:
        """What a device is listed as."""
        if self._count is None:
            return [name]
        return [device_id(f"{name}-{number}") for number in range(self._count)]

    def _device(self, name: str, matches: Sequence[Match]) -> DeviceInfo:
        """What the matches of one name make together."""
        if not (self._together or matches[0].whole):
            matches = matches[:1]
        return DeviceInfo(
            HEALTHY,
            nodes=tuple(match.part for match in matches if isinstance(match.part, DeviceSpec)),
            mounts=tuple(match.part for match in matches if isinstance(match.part, Mount)),
            group=name if self._count is not None else None,
        )

    def _tree(self, everything: bool) -> DeviceTree:
        """What was found, once links to what is new have all been made; logs what is wrong."""
        under_way: dict[str, list[str]] = {}
        for _ in range(_MOST_RESTS):
            if (unsettled := self._matches.unsettled()) == under_way:
                break
            under_way = unsettled
            # A little longer than files' times are exact.
            sleep(REST + 0.01)
            self._look()
        self._matches.settle()
        for real, known in self._matches.lost.items():
            self._complaints.add(
                real,
                f"left out {real!r}: it is known as {known.path!r}, which leads elsewhere now, and "
                "pods may have it under that name; it is listed again when the link leads back, or "
                "when it is plugged in again",
            )
        for index in sorted(self._matches.without_effect - self._overruled):
            self._overruled.add(index)
            self._warn(
                f"pattern {self._patterns[index].text!r} has no effect on devices that another "
                "pattern matches by their own names, for those count; give it alone, and ids stay "
                "the same when devices are plugged in again"
            )
        tree = DeviceTree()
        count = self._matches.names * (self._count or 1)
        if count > self._max_devices or self._beyond:
            more = f", and {self._beyond} more files" if self._beyond else ""
            self._complaints.add(
                "max_devices",
                f"{count} devices match{more}, more than max_devices={self._max_devices}: "
                "the rest is left out; narrow the pattern or raise max_devices",
            )
        if devices := self._matches.devices:
            tree.add_devices(self.resource, devices)
        self._complaints.end(everything)
        self._left_out.end(everything)
        self._idle.end(self._matches.of_pattern, self._unfit, self._is_covered)
        return tree

    def _is_covered(self, pattern: Pattern) -> bool:
        """Whether what `pattern` matches counts for patterns before it."""
        return any(
            other.index == pattern.index and other.matches(os.path.basename(match.path))
            for match in self._matches
            for other in self._directories.get(os.path.dirname(match.path), ())
        )

    def _complain_of_others(self, path: str, problem: Untrusted) -> None:
        self._complaints.add(
            path,
            f"left out {path!r}, since others could make it lead to any file of the node: "
            f"{problem.reason}; {problem.mending} (--check-paths=false allows device nodes)",
        )

    def _complain_of_too_many(self, pattern: Pattern) -> None:
        self._complaints.add(
            pattern.text,
            f"pattern {pattern.text!r} stands for more than {MOST_DIRECTORIES} directories: the "
            "rest is left out; narrow the pattern",
        )

    def _warn(self, text: str) -> None:
        _log.warn("{resource}: {text}", resource=self.resource, text=text)

    def _inform(self, text: str) -> None:
        _log.info("{resource}: {text}", resource=self.resource, text=text)

    def _tell_left_out(self, text: str) -> None:
        V(1).info("what matches is left out", resource=self.resource, what=text)


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
