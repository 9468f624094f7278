"""The nodes below ``/dev`` and the links to them."""

import bisect
import os
import stat
from functools import cached_property
from typing import Final

from twistdp.model import natural_key
from twistdp.select.patterns import path_pattern
from twistdp.select.reading import read_link

_MOST: Final = 100_000
_DEEPEST: Final = 10
_LEFT_OUT: Final = frozenset({"/dev/fd", "/dev/hugepages", "/dev/mqueue", "/dev/shm"})  # noqa: S108
"""What programs put their own files in."""


class NodeListing:
    """Everything below ``/dev`` of the host at `root`, listed once; paths are without `root`."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._matches: dict[str, tuple[str, ...]] = {}

    @cached_property
    def _targets(self) -> dict[str, str | None]:
        """Every node with None, every link with what it says, in natural order."""
        found: dict[str, str | None] = {}
        self._list("/dev", found, 0)
        return {path: found[path] for path in sorted(found, key=natural_key)}

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self._targets)

    def _list(self, directory: str, found: dict[str, str | None], depth: int) -> None:
        try:
            with os.scandir(self._root + directory) as listing:
                entries = list(listing)
        except OSError:
            return  # it went away, or nobody may look into it
        is_host = self._root == ""
        for entry in entries:
            path = f"{directory}/{entry.name}"
            try:
                if entry.is_symlink():
                    target = read_link(self._root + path)
                    if target is not None:
                        found[path] = target
                elif entry.is_dir(follow_symlinks=False):
                    if depth < _DEEPEST and path not in _LEFT_OUT:
                        self._list(path, found, depth + 1)
                elif not (is_host and entry.is_file(follow_symlinks=False)):
                    found[path] = None
            except OSError:
                continue  # it went away
            if len(found) >= _MOST:
                return

    def matching(self, pattern: str) -> tuple[str, ...]:
        """The nodes and links that a glob matches; for a directory, all nodes in it."""
        known = self._matches.get(pattern)
        if known is None:
            known = self._matches[pattern] = tuple(sorted(self._find(pattern), key=natural_key))
        return known

    def _find(self, pattern: str) -> list[str]:
        glob = path_pattern(pattern)
        if glob.literal is not None:
            path = os.path.normpath(pattern)
            if path in self._targets:
                return [path]
            return [each for each in self.below(path) if self._targets[each] is None]
        return [path for path in self.below(glob.directory) if glob.matches(path)]

    def below(self, directory: str) -> list[str]:
        """All nodes and links below a directory, in the order of their bytes."""
        prefix = directory.rstrip("/") + "/"
        listed = self._sorted
        begin = bisect.bisect_left(listed, prefix)
        return listed[begin : bisect.bisect_left(listed, prefix + "\U0010ffff")]

    def all(self) -> dict[str, str | None]:
        """Every node with None and every link with its text, in natural order."""
        return self._targets

    def resolve(self, path: str) -> str | None:
        """The node that `path` is or leads to; None if it leads to none."""
        path = os.path.normpath(path)
        for _ in range(16):
            if path not in self._targets:
                return None
            target = self._targets[path]
            if target is None:
                return path if self._is_node(path) else None
            path = os.path.normpath(os.path.join(os.path.dirname(path), target))
        return None  # links that turn in a circle

    def _is_node(self, path: str) -> bool:
        if self._root:
            return True  # files stand for nodes in a tree that was laid out
        try:
            mode = os.lstat(path).st_mode
        except OSError:
            return False
        return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)

    @cached_property
    def links(self) -> dict[str, tuple[str, ...]]:
        """The links that lead to each node now."""
        found: dict[str, list[str]] = {}
        for path, target in self._targets.items():
            if target is not None:
                node = self.resolve(path)
                if node is not None:
                    found.setdefault(node, []).append(path)
        return {node: tuple(links) for node, links in found.items()}
