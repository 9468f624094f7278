"""Devices by file name patterns."""

import glob
import os
import stat
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

from twisted.logger import Logger

from twistdp.accepting import check_device
from twistdp.devices import HEALTHY, DeviceInfo, DeviceSpec, DeviceTree, Mount
from twistdp.errors import BadDevice
from twistdp.naming import check_resource_type
from twistdp.scanners.matches import Match, Matches
from twistdp.scanners.patterns import ABSENT, Pattern, link_steps, looked_at, real_path
from twistdp.watching import WatchingScanner

_log = Logger()

_MOST_COMPLAINTS = 100
"""So many files that are left out are told: in some directories anybody may make files."""


class GlobScanner(WatchingScanner):
    """Every device node whose path matches a pattern is a device of one resource.

    `resource` is the resource's name after the slash.  `pattern` are absolute paths with the
    wildcards of a shell (``*``, ``?``, ``[...]``, no ``**``), repeatable or comma separated.
    With ``nodes_only=False`` plain files count too and are mounted.  `permissions` are letters
    of ``rwm``; without ``w`` plain files are mounted read-only.  `max_devices` is a guard
    against a pattern that matches too much; so many still fit into one message to the kubelet.

    The id is the file name, made a valid id where it is none; equal names from different
    directories get a hash of the directory.  Links are followed: the node behind one is given
    to the container under the name that matched.  Several names of one node are one device,
    called by the first pattern that matches.
    """

    def __init__(
        self,
        resource: str,
        pattern: Sequence[str],
        permissions: str = "rw",
        nodes_only: bool = True,
        max_devices: int = 50_000,
    ) -> None:
        texts = [pattern] if isinstance(pattern, str) else pattern
        parts = [part.strip() for text in texts for part in text.split(",") if part.strip()]
        if not parts:
            raise ValueError("pattern: give at least one, such as /dev/ttyUSB*")
        if max_devices < 1:
            raise ValueError(f"max_devices {max_devices}: it must be at least 1")
        self.resource = check_resource_type(resource)
        self._patterns = [Pattern.parse(index, text) for index, text in enumerate(parts)]
        self._permissions = permissions
        check_device(DeviceInfo(HEALTHY, nodes=[DeviceSpec("/", "/", permissions)]))
        self._nodes_only = nodes_only
        self._max_devices = max_devices
        self._matches = Matches()
        self._directories: dict[str, list[Pattern]] = {}
        self._parents: set[str] = set()  # where directories that wildcards stand for appear
        self._targets: dict[str, set[str]] = {}  # what links lead to: the links
        self._said: set[str] = set()
        # Written contents do not matter, and in /dev they would be reported all the time.
        super().__init__(self._watched(), contents=False)

    def discover(self) -> DeviceTree:
        """List all directories."""
        unknown: list[str] = []
        listed: set[str] = set()

        def keep(path: str, error: OSError) -> None:
            unknown.append(path)
            self._complain(
                path, f"cannot look at {path!r}, its devices stay as they were: {error.strerror}"
            )

        known, parents = self._directories, self._parents
        self._directories, self._parents, self._targets = {}, set(), {}
        for pattern in self._patterns:
            *above, directories = pattern.levels(keep)
            self._parents.update(path for level in above for path in level)
            for directory in directories:
                self._directories.setdefault(directory, []).append(pattern)
        # What is below need not have gone, and is listed again as soon as that is possible.
        self._parents |= {path for path in parents if _is_below(path, unknown)}
        for directory in known.keys() - self._directories:
            if _is_below(directory, unknown):
                self._directories[directory] = known[directory]
        found: dict[str, Match] = {}
        for directory, patterns in self._directories.items():
            real = real_path(directory)
            # A directory that is missing is watched, and listed when it appears.
            entries = looked_at(directory, _entries, keep)
            if entries is None:
                if directory not in unknown and os.path.exists(directory):
                    self._complain(directory, f"cannot look at {directory!r}: it is no directory")
                continue
            self._said.discard(directory)
            listed.add(directory)
            for entry in entries:
                plain = _is_plain(entry)
                match = self._matches.get(entry.path)
                # A plain file stays what it was; of others, entries do not tell enough.
                if not (plain and match and match.is_plain and real == directory):
                    match = self._examine(entry.path, entry.name, patterns, real, plain)
                if match is not None:
                    found[entry.path] = match
        if unknown:
            for match in self._matches:
                directory = os.path.dirname(match.path)
                if directory not in listed and _is_below(directory, unknown):
                    found[match.path] = match
        self._matches.update(found)
        self.paths = self._watched()
        return self._tree()

    def follow(self, changed: Collection[str]) -> DeviceTree:
        """Look again at these paths only."""
        paths = {path for path in changed if os.path.dirname(path) in self._directories}
        links = {link for path in changed for link in self._targets.get(path, ())}
        known = self._directories.keys() | self._parents
        if any(path in self._directories for path in changed):
            return self.discover()  # whoever may list a directory now need not have been before
        if any(
            os.path.dirname(path) in self._parents and (path in known or os.path.isdir(path))
            for path in changed
        ):
            return self.discover()  # a directory that a wildcard stands for may have come or gone
        targets = len(self._targets)
        real = {
            directory: real_path(directory) for directory in map(os.path.dirname, paths | links)
        }
        for path in paths | links:
            directory, name = os.path.split(path)
            before = self._matches.get(path)
            match = self._examine(path, name, self._directories[directory], real[directory])
            if match is not before:
                if before is not None:
                    self._matches.remove(before)
                if match is not None:
                    self._matches.add(match)
        if len(self._targets) != targets:
            self.paths = self._watched()
        return self._tree()

    def _watched(self) -> list[str]:
        """The directories to watch: those that are listed, those that wildcards in the middle
        of a pattern start from, and those that links lead to."""
        watched = dict.fromkeys([*self._directories, *self._parents])
        for pattern in self._patterns:
            directory = pattern.directory
            while glob.has_magic(directory):
                directory = os.path.dirname(directory)
            watched[directory] = None
        watched.update(dict.fromkeys(os.path.dirname(target) for target in self._targets))
        return list(watched)

    def _examine(
        self,
        path: str,
        name: str,
        patterns: Iterable[Pattern],
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
        try:
            kind = stat.S_IFREG if plain else stat.S_IFMT(os.lstat(path).st_mode)
            real = os.path.join(real_directory, name)
            if real == path:
                real = path  # one text for both, for each of thousands of devices
            if kind == stat.S_IFLNK:
                for step in link_steps(path):
                    self._targets.setdefault(step, set()).add(path)
                kind = stat.S_IFMT(os.stat(path).st_mode)
                real = real_path(path)
            if before is not None and before.kind == kind and before.real == real:
                return before
            info = self._device(path, real, kind)
        except FileNotFoundError:
            return None  # gone meanwhile, or a link to what is not there yet
        except OSError as error:
            if error.errno in ABSENT:
                self._complain(path, f"left out {path!r}: {error}")
                return None
            self._complain(path, f"cannot look at {path!r}, it stays what it was: {error.strerror}")
            return before
        except BadDevice as error:
            self._complain(path, f"left out {path!r}: {error}")
            return None
        return None if info is None else Match(pattern.index, path, real, kind, info)

    def _device(self, path: str, real: str, kind: int) -> DeviceInfo | None:
        if stat.S_ISCHR(kind) or stat.S_ISBLK(kind):
            info = DeviceInfo(HEALTHY, nodes=[DeviceSpec(real, path, self._permissions)])
        elif stat.S_ISREG(kind) and not self._nodes_only:
            info = DeviceInfo(HEALTHY, mounts=[Mount(real, path, "w" not in self._permissions)])
        else:
            return None
        if not (path.isascii() and real.isascii()):  # nothing else can be wrong with it
            check_device(info)
        return info

    def _tree(self) -> DeviceTree:
        tree = DeviceTree()
        if len(self._matches) > self._max_devices:
            self._complain(
                "max_devices",
                f"{len(self._matches)} devices match, more than max_devices={self._max_devices}: "
                "the rest is left out; narrow the pattern or raise max_devices",
            )
        if devices := self._matches.devices(self._max_devices):
            tree.add_devices(self.resource, devices)
        return tree

    def _complain(self, about: str, text: str) -> None:
        """Log, once for each thing that is wrong, but not without end."""
        if about in self._said or len(self._said) > _MOST_COMPLAINTS:
            return
        self._said.add(about)
        if len(self._said) > _MOST_COMPLAINTS:
            text = "there is more that is wrong, which is not told"
        _log.warn("{resource}: {text}", resource=self.resource, text=text)


def _entries(directory: str) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        return list(entries)


def _is_plain(entry: os.DirEntry[str]) -> bool:
    """Whether it is a plain file, and no link to one, as far as its directory tells."""
    with suppress(OSError):  # of file systems that do not tell it there
        return entry.is_file(follow_symlinks=False)
    return False


def _is_below(path: str, tops: Iterable[str]) -> bool:
    return any(path == top or path.startswith(os.path.join(top, "")) for top in tops)
