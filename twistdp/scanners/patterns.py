"""File name patterns, and where the files that match them can appear."""

import errno
import glob
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from fnmatch import translate
from typing import Final, TypeAlias, TypeVar

import attrs

from twistdp.exhaustion import mending

T = TypeVar("T")

Unknown: TypeAlias = Callable[[str, OSError], object]
"""Is called with a path of which nothing can be known, and why: it need not have gone."""

ABSENT: Final = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
"""What says that a path leads nowhere."""

_MOST_LINKS = 40
"""The kernel follows no longer chain of links (MAXSYMLINKS)."""


@attrs.frozen
class Pattern:
    """A glob pattern, its last part compiled; `index` is its place among the patterns."""

    index: int
    directory: str
    name: re.Pattern[str]
    hidden: bool

    @classmethod
    def parse(cls, index: int, text: str) -> "Pattern":
        """Raises ValueError for a pattern that cannot be followed."""
        directory, name = os.path.split(text)
        if not text.startswith("/") or not name:
            raise ValueError(f"pattern {text!r}: give an absolute path, such as /dev/ttyUSB*")
        if ".." in text.split("/"):
            raise ValueError(f"pattern {text!r}: '..' is not allowed; write the directory itself")
        if "\0" in text:
            raise ValueError(f"pattern {text!r}: no file's name has a NUL in it")
        if "**" in text:
            raise ValueError(f"pattern {text!r}: '**' is not supported; name the directories")
        return cls(index, directory, re.compile(translate(name)), name.startswith("."))

    def matches(self, name: str) -> bool:
        """Whether a file name matches; as in a shell, wildcards match no leading dot."""
        return (self.hidden or not name.startswith(".")) and self.name.match(name) is not None

    def levels(self, unknown: Unknown) -> list[list[str]]:
        """The directories, level by level: first the one without wildcards, last those listed.

        A level without wildcards below one with them is taken as it is, whether it exists or
        not: it is waited for.  `unknown` is told of those that nothing can be known of.  Raises
        OSError when the process has run out of what looking needs.
        """
        directory, parts = self.directory, []
        while glob.has_magic(directory):
            directory, part = os.path.split(directory)
            parts.append(part)
        levels = [[directory]]
        for part in reversed(parts):
            if glob.has_magic(part):
                wanted = re.compile(translate(part))
                found = [
                    path
                    for parent in levels[-1]
                    for name in looked_at(parent, os.listdir, unknown) or ()
                    if (part.startswith(".") or not name.startswith(".")) and wanted.match(name)
                    if is_directory(path := os.path.join(parent, name), unknown)
                ]
            else:
                found = [os.path.join(parent, part) for parent in levels[-1]]
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
        if mending(error) is not None:
            raise
        if error.errno not in ABSENT:
            unknown(path, error)
        return None


def is_directory(path: str, unknown: Unknown) -> bool:
    """Whether a path leads to a directory, as far as can be known; see `looked_at`."""
    found = looked_at(path, os.stat, unknown)
    return found is not None and stat.S_ISDIR(found.st_mode)


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
