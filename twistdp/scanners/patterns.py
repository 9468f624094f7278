"""File name patterns, and where the files that match them can appear."""

import glob
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from fnmatch import translate
from itertools import islice
from typing import Final, TypeAlias, TypeVar

import attrs

from twistdp.host import ABSENT, remedy_for

T = TypeVar("T")

Unknown: TypeAlias = Callable[[str, OSError], object]
"""Is called with a path of which nothing can be known, and why: it need not have gone."""

_MOST_LINKS = 40
"""The kernel follows no longer chain of links (MAXSYMLINKS)."""


Identity: TypeAlias = tuple[int, int, int]
"""What tells a file from all others as long as it exists."""


_ANYTHING = re.compile("")


MOST_DIRECTORIES: Final = 10_000
"""A pattern that stands for more directories matches too much."""

_MOST_REFUSED: Final = 100_000
"""After so many in one directory that are not allowed, the rest is left: others made them."""


@attrs.frozen
class Subdirectories:
    """What lists the directories in another one whose names match `part` of a pattern."""

    part: str
    most: int
    unknown: Unknown
    allowed: Callable[[str], bool]

    def __call__(self, parent: str) -> list[str]:
        """At most `most` of those that are allowed."""
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


@attrs.frozen
class Pattern:
    """A glob pattern, its last part compiled; `index` is its place among the patterns.

    `text` is the pattern in its shortest form, the one in which the kernel reports paths.
    `whole` is the directory all of whose files are one device; None: each is one of its own.
    """

    index: int
    text: str
    directory: str
    name: re.Pattern[str]
    hidden: bool
    whole: str | None = None

    @classmethod
    def parse(cls, index: int, text: str) -> "Pattern":
        """Raises ValueError for a pattern that cannot be followed."""
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
        return cls(index, text, directory, re.compile(translate(name)), name.startswith("."))

    @property
    def top(self) -> str:
        """The directory before the first wildcard."""
        directory = self.directory
        while glob.has_magic(directory):
            directory = os.path.dirname(directory)
        return directory

    @property
    def is_literal(self) -> bool:
        """Whether it names a single file, or a directory, without any wildcard."""
        return not glob.has_magic(self.text)

    def inside(self) -> "Pattern":
        """The pattern of all that is in the directory that this one names."""
        return attrs.evolve(
            self, directory=self.text, name=_ANYTHING, hidden=False, whole=self.text
        )

    def matches(self, name: str) -> bool:
        """Whether a file name matches; as in a shell, wildcards match no leading dot."""
        return (self.hidden or not name.startswith(".")) and self.name.match(name) is not None

    def levels(self, unknown: Unknown, allowed: Callable[[str], bool]) -> list[list[str]]:
        """The directories, level by level: first the one without wildcards, last those listed.

        A level without wildcards below one with them is taken as it is, whether it exists or
        not: it is waited for.  `unknown` is told of those that nothing can be known of, and only
        those are looked at that are `allowed`; at most `MOST_DIRECTORIES` of each level, and one
        more, which shows that there are too many.  Raises OSError when the process has run out of
        what looking needs.
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
    """What `look` finds of a path; None where there is nothing, or nothing can be known.

    `unknown` is told of the latter.  Raises OSError when the process has run out of what looking
    needs: it may have it soon.
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
    """Whether a path leads to a directory, as far as can be known; see `looked_at`."""
    found = looked_at(path, os.stat, unknown)
    return found is not None and stat.S_ISDIR(found.st_mode)


def identity(status: os.stat_result) -> Identity:
    """What a file is known by.

    The inode numbers of devtmpfs are not used twice.  Times are no part of it: udev and whoever
    changes permissions change them.
    """
    return status.st_dev, status.st_ino, status.st_rdev


def is_still(path: str, known: Identity) -> bool:
    """Whether the file at `path` is the one known by that, as far as can be known."""
    try:
        return identity(os.stat(path)) == known
    except OSError as error:
        return error.errno not in ABSENT


def real_path(path: str) -> str:
    """`path` without links; the path itself where they cannot be followed."""
    try:
        return os.path.realpath(path)
    except (OSError, RecursionError):
        return path  # a link that has just gone, or a chain: it calls itself for each link


def link_steps(path: str) -> list[str]:
    """All that the link `path` leads to, step by step: each step may change by itself."""
    steps: list[str] = []
    with suppress(OSError):
        while path not in steps[:-1] and len(steps) < _MOST_LINKS:
            target = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
            path = os.path.join(real_path(os.path.dirname(target)), os.path.basename(target))
            steps.append(path)
    return steps
