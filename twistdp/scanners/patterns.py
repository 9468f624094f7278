"""File name patterns, and the directories in which matching files can appear."""

import glob
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from fnmatch import translate
from itertools import islice
from typing import Final, NamedTuple, TypeAlias, TypeVar

from twistdp.host import ABSENT, remedy_for

T = TypeVar("T")

Unknown: TypeAlias = Callable[[str, OSError], object]
"""Called with a path that cannot be looked at, and the reason: it need not have gone."""

_MOST_LINKS = 40
"""Links in the longest chain that the kernel follows (MAXSYMLINKS)."""


Identity: TypeAlias = tuple[int, int, int]
"""Distinguishes a file from all others as long as it exists."""


_ANYTHING = re.compile("")


MOST_DIRECTORIES: Final = 10_000
"""A pattern with more directories matches too much."""

_MOST_REFUSED: Final = 100_000
"""Refused entries of one directory after which the rest is left out: others made them."""


class Subdirectories:
    """Lists the subdirectories whose names match `part` of a pattern."""

    def __init__(
        self, part: str, most: int, unknown: Unknown, allowed: Callable[[str], bool]
    ) -> None:
        self.part = part
        self.most = most
        self.unknown = unknown
        self.allowed = allowed

    def __call__(self, parent: str) -> list[str]:
        """At most `most` of the allowed ones."""
        wanted = re.compile(translate(self.part))
        with os.scandir(parent) as entries:
            allowed = self._allowed(self._matching(entries, wanted))
            found = (path for path in allowed if is_directory(path, self.unknown))
            return list(islice(found, self.most))

    def _matching(
        self, entries: Iterable[os.DirEntry[str]], wanted: re.Pattern[str]
    ) -> Iterator[str]:
        hidden = self.part.startswith(".")
        for entry in entries:
            named = (hidden or not entry.name.startswith(".")) and wanted.match(entry.name)
            if named and (entry.is_symlink() or entry.is_dir(follow_symlinks=False)):
                yield entry.path

    def _allowed(self, paths: Iterable[str]) -> Iterator[str]:
        refused = 0
        for path in paths:
            # A path that others could change is not followed at all.
            if self.allowed(path):
                yield path
            elif (refused := refused + 1) >= _MOST_REFUSED:
                return


class Pattern(NamedTuple):
    """A glob pattern, its last part compiled; `number` is its place among the patterns.

    `text` is the pattern in its shortest form, in which the kernel reports paths.  `whole` is the
    directory whose files are all one device, or None if each is a device of its own.
    """

    number: int
    text: str
    directory: str
    name: re.Pattern[str]
    hidden: bool
    whole: str | None = None

    @classmethod
    def parse(cls, number: int, text: str) -> "Pattern":
        """Raise ValueError for a pattern that cannot be followed."""
        directory, name = os.path.split(text)
        if not text.startswith("/") or not name or name == ".":
            raise ValueError(
                f"pattern {text!r}: give an absolute path that ends in a name, such as /dev/ttyUSB*"
            )
        if ".." in text.split("/"):
            raise ValueError(f"pattern {text!r}: '..' is not allowed; write the directory itself")
        if "\0" in text:
            raise ValueError(f"pattern {text!r}: no file's name has a NUL in it")
        if "**" in text:
            raise ValueError(f"pattern {text!r}: '**' is not supported; name the directories")
        directory = os.path.normpath(f"/{directory.lstrip('/')}")
        text = os.path.join(directory, name)
        return cls(number, text, directory, re.compile(translate(name)), name.startswith("."))

    @property
    def top(self) -> str:
        """The directory before the first wildcard."""
        directory = self.directory
        while glob.has_magic(directory):
            directory = os.path.dirname(directory)
        return directory

    @property
    def is_literal(self) -> bool:
        """Whether it has no wildcard, and so names a single file or directory."""
        return not glob.has_magic(self.text)

    def inside(self) -> "Pattern":
        """The pattern that matches everything in the directory that this one names."""
        return self._replace(directory=self.text, name=_ANYTHING, hidden=False, whole=self.text)

    def matches(self, name: str) -> bool:
        """Whether a file name matches; as in a shell, wildcards match no leading dot."""
        return (self.hidden or not name.startswith(".")) and self.name.match(name) is not None

    def levels(self, unknown: Unknown, allowed: Callable[[str], bool]) -> list[list[str]]:
        """The directories by level, from the one without wildcards to those that are listed.

        Below a level with wildcards, a level without any is included whether it exists or not, so
        that it can be waited for.  `unknown` is called for directories that cannot be looked at,
        and only `allowed` ones are looked at.  A level has at most `MOST_DIRECTORIES`, and one
        more, which shows that there are too many.  Raises OSError when the process has reached a
        limit.
        """
        directory, parts = self.directory, []
        while glob.has_magic(directory):
            directory, part = os.path.split(directory)
            parts.append(part)
        levels = [[directory] if allowed(directory) else []]
        for part in reversed(parts):
            if glob.has_magic(part):
                found: list[str] = []
                for parent in levels[-1]:
                    room = MOST_DIRECTORIES + 1 - len(found)
                    inside = Subdirectories(part, room, unknown, allowed)
                    found += looked_at(parent, inside, unknown) or ()
            else:
                below = (os.path.join(parent, part) for parent in levels[-1])
                found = [path for path in below if allowed(path)]
            levels.append(found)
        return levels


def looked_at(path: str, look: Callable[[str], T], unknown: Unknown) -> T | None:
    """The result of `look` for a path; None if nothing is there or it cannot be looked at.

    `unknown` is called in the latter case.  Raises OSError when the process has reached a limit,
    since it may be able to look soon.
    """
    try:
        return look(path)
    except OSError as error:
        if remedy_for(error) is not None:
            raise
        if error.errno not in ABSENT:
            unknown(path, error)
        return None


def is_directory(path: str, unknown: Unknown) -> bool:
    """Whether a path leads to a directory; see `looked_at`."""
    found = looked_at(path, os.stat, unknown)
    return found is not None and stat.S_ISDIR(found.st_mode)


def identity(status: os.stat_result) -> Identity:
    """The identity of a file.

    devtmpfs does not use an inode number twice.  Times are no part of it, since udev and changes of
    permissions change them.
    """
    return status.st_dev, status.st_ino, status.st_rdev


def is_still(path: str, known: Identity) -> bool:
    """Whether the file at `path` still has that identity; also if it cannot be looked at."""
    try:
        return identity(os.stat(path)) == known
    except OSError as error:
        return error.errno not in ABSENT


def real_path(path: str) -> str:
    """`path` without links, or the path itself if they cannot be followed."""
    try:
        return os.path.realpath(path)
    except (OSError, RecursionError):
        return path  # a link has just gone, or there are too many: realpath recurses


def link_steps(path: str) -> list[str]:
    """The steps from the link `path` to its end, each of which may change by itself."""
    steps: list[str] = []
    with suppress(OSError):
        while path not in steps[:-1] and len(steps) < _MOST_LINKS:
            target = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
            path = os.path.join(real_path(os.path.dirname(target)), os.path.basename(target))
            steps.append(path)
    return steps
