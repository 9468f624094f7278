"""Devices by file name patterns."""

import glob
import os
import stat
from collections.abc import Collection, Iterable, Sequence

from twisted.logger import Logger

from twistdp.devices import HEALTHY, DeviceInfo, DeviceSpec, DeviceTree, Mount, check_device
from twistdp.errors import BadDevice
from twistdp.exhaustion import mending
from twistdp.naming import check_resource_type, natural_key
from twistdp.scanners.matches import Match, Matches
from twistdp.scanners.patterns import Pattern, link_steps, real_path
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
        found: list[Match] = []
        self._directories = {}
        self._parents = set()
        self._targets = {}
        for pattern in self._patterns:
            *parents, directories = pattern.levels()
            self._parents.update(path for level in parents for path in level)
            for directory in directories:
                self._directories.setdefault(directory, []).append(pattern)
        for directory, patterns in self._directories.items():
            real = real_path(directory)
            try:
                names = os.listdir(directory)
            except FileNotFoundError:
                continue  # it is watched, and listed when it appears
            except OSError as error:
                if mending(error) is not None:
                    raise
                self._complain(directory, f"cannot list {directory!r}: {error.strerror}")
                if not isinstance(error, NotADirectoryError):
                    # What is in it is not known, and need not have gone.
                    found += [m for m in self._matches if os.path.dirname(m.path) == directory]
                continue
            for name in names:
                match = self._examine(os.path.join(directory, name), patterns, real)
                if match is not None:
                    found.append(match)
        self._matches = Matches(sorted(found, key=lambda match: match.order))
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
            directory = os.path.dirname(path)
            before = self._matches.get(path)
            match = self._examine(path, self._directories[directory], real[directory])
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

    def _examine(self, path: str, patterns: Iterable[Pattern], real_directory: str) -> Match | None:
        """What `path` is, if it matches and is a device; a bad file never costs the others.

        The very same object as before when nothing changed.
        """
        name = os.path.basename(path)
        pattern = next((pattern for pattern in patterns if pattern.matches(name)), None)
        if pattern is None:
            return None
        try:
            found = os.lstat(path)
            real = os.path.join(real_directory, name)
            if stat.S_ISLNK(found.st_mode):
                for step in link_steps(path):
                    self._targets.setdefault(step, set()).add(path)
                found = os.stat(path)
                real = real_path(path)
            info = self._device(path, real, found.st_mode)
        except FileNotFoundError:
            return None  # gone meanwhile, or a link to what is not there yet
        except (OSError, BadDevice) as error:
            self._complain(path, f"left out {path!r}: {error}")
            return None
        if info is None:
            return None
        before = self._matches.get(path)
        if before is not None and before.real == real and before.info == info:
            return before
        return Match((pattern.index, natural_key(path)), path, real, info)

    def _device(self, path: str, real: str, mode: int) -> DeviceInfo | None:
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            info = DeviceInfo(HEALTHY, nodes=[DeviceSpec(real, path, self._permissions)])
        elif stat.S_ISREG(mode) and not self._nodes_only:
            info = DeviceInfo(HEALTHY, mounts=[Mount(real, path, "w" not in self._permissions)])
        else:
            return None
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
