"""Reads the files of a project that the checklist may look at."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatch
from typing import TypeAlias

import attrs

from twistdp.errors import BadSetting

MAKEFILES = ("Makefile", "makefile", "GNUmakefile")
"""Files that make reads."""

PROSE = ("*.md", "*.rst", "README*")
IMAGES = ("Dockerfile", "*.Dockerfile", "Containerfile")
COMMANDS = (*IMAGES, *MAKEFILES, "*.mk", "*.service", "*.sh", "*.y*ml")
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
SETTINGS = ("*.toml", "*.cfg", "*.ini", ".coveragerc", ".flake8", ".pylintrc", "*.json")

LookResult: TypeAlias = tuple[bool, str]
"""Whether an item is there, and what was found or is wrong with it."""

READ = (
    *("*.py", "*.sh", "*.toml", "*.cfg", "*.ini", "*.yaml", "*.yml", "*.md", "*.rst", "*.txt"),
    *("*.service", "*.mk", "*.json", ".coveragerc", ".flake8", ".pylintrc", "README*"),
    *MAKEFILES,
    *("Dockerfile", "*.Dockerfile", "Containerfile", "Kustomization"),
)
"""Patterns of the names of files that are read."""

LARGEST = 200_000
"""Bytes of a file that are read."""

MOST_BYTES = 20_000_000
"""Bytes of all files together."""

MOST_ENTRIES = 50_000
"""Files and directories, read or not."""

DEEPEST = 30
"""Directories on the way to a file; deeper files are left out."""

_WIDEST = 1000  # characters of a line: expressions take up to the square of it in steps
_OTHERS = {"build", "dist", "node_modules", "venv", "__pycache__"}
"""Directories with built or installed files.  Hidden ones but ``.github`` are left out too."""


@attrs.frozen
class Tree:
    """Texts by path relative to the root, with ``/``; empty files are left out."""

    root: str
    texts: Mapping[str, str]

    def named(self, *patterns: str) -> dict[str, str]:
        """The files whose own name matches one of the patterns."""
        return {
            path: text
            for path, text in self.texts.items()
            if any(fnmatch(os.path.basename(path), pattern) for pattern in patterns)
        }

    def with_text(self, expression: str, *patterns: str) -> str | None:
        """The first of these files in which the expression is found, if any."""
        for path, text in self.named(*patterns).items():
            if re.search(expression, text, re.MULTILINE):
                return path
        return None


def has_rule(makefile: str, target: str) -> bool:
    """Whether a rule of the Makefile names the target literally."""
    rule = rf"^(?!\t)(?:[^:#=\n]*\s)?{re.escape(target)}(?:\s[^:#=\n]*)?:(?!=|:=)"
    return re.search(rule, makefile, re.MULTILINE) is not None


def uncommented(text: str) -> str:
    """The text of settings, a manifest or a Makefile without its comments."""
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"(?m)(^\s*;|(^|\s)#).*", "", text))


def read(root: str) -> Tree:
    """Read a project's directory.  Raises `BadSetting` if it is none, too large or unreadable."""
    if not os.path.isdir(root):
        there = os.path.lexists(root)
        raise BadSetting(f"{root}: {'not a directory' if there else 'no such directory'}")
    return Tree(root, dict(sorted(_texts(root))))


def _texts(root: str) -> Iterator[tuple[str, str]]:
    room = MOST_BYTES
    for path in _paths(root):
        text = _text(os.path.join(root, path))
        room -= len(text)
        if room < 0:
            raise BadSetting(f"{root}: more than {MOST_BYTES} bytes; {_MEANT}")
        if text.strip():
            yield path, text


_MEANT = "give the directory of one project"


def _paths(root: str) -> Iterator[str]:
    """The files to read, relative to the root.  Links to directories are not followed."""
    ahead, room = [""], MOST_ENTRIES
    while ahead:
        below = ahead.pop()
        with suppress(OSError), os.scandir(os.path.join(root, below)) as entries:
            for entry in entries:
                room -= 1
                if room < 0:
                    raise BadSetting(f"{root}: more than {MOST_ENTRIES} files; {_MEANT}")
                path, name = f"{below}{entry.name}", entry.name
                if entry.is_dir(follow_symlinks=False):
                    if _is_own(name) and below.count("/") < DEEPEST:
                        ahead.append(f"{path}/")
                elif any(fnmatch(name, pattern) for pattern in READ):
                    yield path


def _is_own(name: str) -> bool:
    return name == ".github" or not (name.startswith((".", "_trial_temp")) or name in _OTHERS)


def _text(path: str) -> str:
    """The beginning of a file's text; empty unless it is a regular file.

    Long lines are cut, and more than two empty lines in a row become two.
    """
    if not os.path.isfile(path):  # opening a device may have an effect
        return ""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BadSetting(f"{path}: it cannot be read: {error.strerror}") from error
    with open(fd, "rb") as file:
        read = file.read(LARGEST) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    lines: list[str] = []
    for line in read.decode(errors="replace").replace("\r\n", "\n").split("\n"):
        if line.strip() or any(lines[-2:]):
            lines.append(line[:_WIDEST].rstrip())
    return "\n".join(lines)
