"""The nodes below ``/dev`` and the links to them."""

import bisect
import os
import stat
from collections.abc import Iterable, Iterator
from functools import cached_property
from sys import intern
from typing import Final

from twistdp.host import HostPaths
from twistdp.model import natural_key
from twistdp.select.patterns import path_pattern
from twistdp.select.reading import read_link

_MOST: Final = 100_000
_DEEPEST: Final = 10
_LEFT_OUT: Final = frozenset({"/dev/fd", "/dev/hugepages", "/dev/mqueue", "/dev/shm"})  # noqa: S108
"""What programs put their own files in."""


class NodeListing:
    """Everything below ``/dev`` of the host at `root`, listed once; paths are without `root`.

    With `check_paths`, without directories in which others than root and our user may make
    entries: their links could lead to any node.
    """

    def __init__(self, root: str, check_paths: bool) -> None:
        self._root = root
        self._check_paths = check_paths
        self.left_out: dict[str, str] = {}
        """Directories that are not listed, with the reasons."""
        self._matches: dict[str, tuple[str, ...]] = {}
        self._are_nodes: dict[str, bool] = {}

    @cached_property
    def _targets(self) -> dict[str, str | None]:
        """Every node with None, every link with what it says."""
        found: dict[str, str | None] = {}
        self._list("/dev", found, 0)
        return found

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self._targets)

    @cached_property
    def _pointing(self) -> dict[str, tuple[str, ...]]:
        """The links that say each path."""
        found: dict[str, tuple[str, ...]] = {}
        for path, target in self._targets.items():
            if target is not None:
                meant = _meant(path, target)
                found[meant] = (*found.get(meant, ()), path)
        return found

    def prepare(self) -> None:
        """List everything, so that the first `refresh` takes no longer than others."""
        self._sorted, self._pointing  # noqa: B018  # they are made when they are asked for

    def lists(self, directory: str) -> bool:
        """Whether what is in a directory counts; see `left_out` for why not."""
        self.left_out.pop(directory, None)
        if not self._check_paths:
            return True
        place = HostPaths().place(self._root + directory)
        if place.problem is not None:
            self.left_out[directory] = f"{place.problem.reason}; {place.problem.remedy}"
        elif place.is_open:
            self.left_out[directory] = f"others may write in {place.real}; chmod go-w {place.real}"
        return directory not in self.left_out

    def _list(self, directory: str, found: dict[str, str | None], depth: int) -> None:
        if not self.lists(directory):
            return
        try:
            with os.scandir(self._root + directory) as listing:
                entries = list(listing)
        except OSError:
            return  # it went away, or nobody may look into it
        for entry in entries:
            path = intern(f"{directory}/{entry.name}")  # devices, and later scans, have it too
            try:
                if entry.is_symlink():
                    target = read_link(self._root + path)
                    if target is not None:
                        found[path] = target
                elif entry.is_dir(follow_symlinks=False):
                    if depth < _DEEPEST and path not in _LEFT_OUT:
                        self._list(path, found, depth + 1)
                elif not (self._is_host and entry.is_file(follow_symlinks=False)):
                    found[path] = None
            except OSError:
                continue  # it went away
            if len(found) >= _MOST:
                return

    @property
    def _is_host(self) -> bool:
        return self._root == ""

    def refresh(self, path: str) -> dict[str, None]:
        """List a path again, with all below it; returns the nodes that this is about.

        These are the nodes that were or are there, and those that links led to or lead to now.
        """
        old = [each for each in (path, *self.below(path)) if each in self._targets]
        about = self._led_to(old)
        for each in old:
            target = self._targets.pop(each)
            del self._sorted[bisect.bisect_left(self._sorted, each)]
            if target is not None:
                meant = _meant(each, target)
                others = tuple(link for link in self._pointing.pop(meant) if link != each)
                if others:
                    self._pointing[meant] = others
        found = self._look(path)
        for each, target in found.items():
            self._targets[each] = target
            bisect.insort(self._sorted, each)
            if target is not None:
                meant = _meant(each, target)
                self._pointing[meant] = (*self._pointing.get(meant, ()), each)
        for each in (*old, *found):
            self._are_nodes.pop(each, None)
        about |= self._led_to(found)
        changed = dict.fromkeys((*old, *found))
        for pattern in list(self._matches):
            glob = path_pattern(pattern)
            if glob.literal is not None or any(map(glob.matches, changed)):
                del self._matches[pattern]
        return about

    def _led_to(self, paths: Iterable[str]) -> dict[str, None]:
        """The nodes among some paths, and those that the links among them lead to."""
        found: dict[str, None] = {}
        for path in paths:
            if self._targets[path] is None:
                found[path] = None
            elif (node := self.resolve(path)) is not None:
                found[node] = None
        return found

    def _look(self, path: str) -> dict[str, str | None]:
        """What is at a path and below it now, as `_list` has it."""
        found: dict[str, str | None] = {}
        if not self.lists(os.path.dirname(path)):
            return found
        target = read_link(self._root + path)
        if target is not None:
            return {path: target}
        try:
            mode = os.lstat(self._root + path).st_mode
        except OSError:
            return found
        if stat.S_ISDIR(mode):
            if path not in _LEFT_OUT:
                self._list(path, found, path.count("/") - 1)
        elif not (self._is_host and stat.S_ISREG(mode)):
            found[path] = None
        return found

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
        return {path: self._targets[path] for path in sorted(self._targets, key=natural_key)}

    def matches(self, node: str, pattern: str) -> bool:
        """Whether a node is there, and a glob matches it or a link to it; see `matching`."""
        if self.resolve(node) != node:
            return False
        return next(self.matched(node, pattern), None) is not None

    def matched(self, node: str, pattern: str) -> Iterator[str]:
        """Of a node and the links to it, those that a glob matches."""
        glob = path_pattern(pattern)
        if glob.literal is None:
            yield from filter(glob.matches, (node, *self.links_to(node)))
            return
        path = os.path.normpath(pattern)
        if path not in self._targets:
            if node.startswith(f"{path}/"):  # of a directory all nodes count
                yield node
        elif path == node or path in self.links_to(node):
            yield path

    def resolve(self, path: str) -> str | None:
        """The node that `path` is or leads to; None if it leads to none."""
        path = os.path.normpath(path)
        for _ in range(16):
            if path not in self._targets:
                return None
            target = self._targets[path]
            if target is None:
                return path if self._is_node(path) else None
            path = _meant(path, target)
        return None  # links that turn in a circle

    def _is_node(self, path: str) -> bool:
        if self._root:
            return True  # files stand for nodes in a tree that was laid out
        known = self._are_nodes.get(path)
        if known is None:
            try:
                mode = os.lstat(path).st_mode
            except OSError:
                return False
            known = self._are_nodes[path] = stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
        return known

    def links_to(self, node: str) -> tuple[str, ...]:
        """The links that lead to a node now, in natural order."""
        if node not in self._pointing:
            return ()
        found: dict[str, None] = {}
        waiting = [node]
        while waiting:
            for link in self._pointing.get(waiting.pop(), ()):
                if link not in found:
                    found[link] = None
                    waiting.append(link)
        return tuple(sorted(found, key=natural_key))


def _meant(path: str, target: str) -> str:
    """The path that a link at `path` says."""
    return intern(os.path.normpath(os.path.join(os.path.dirname(path), target)))
