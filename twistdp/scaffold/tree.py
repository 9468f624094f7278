"""A project's directory as the checklist sees it: the files that could matter, and their text."""

import os
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch

import attrs

from twistdp.errors import BadSetting

MAKEFILES = ("Makefile", "makefile", "GNUmakefile")
"""What make looks for."""

READ = (
    *("*.py", "*.sh", "*.toml", "*.cfg", "*.ini", "*.yaml", "*.yml", "*.md", "*.rst", "*.txt"),
    *("*.service", "*.mk", "*.json", ".coveragerc", ".flake8", ".pylintrc", "README*"),
    *MAKEFILES,
    *("Dockerfile", "*.Dockerfile", "Containerfile", "Kustomization"),
)
"""File names that are looked into."""

_LARGEST = 1_000_000
_OTHERS = {"build", "dist", "node_modules", "venv", "__pycache__"}
"""Directories of what is made or installed; hidden ones but ``.github`` are left out too."""


@attrs.frozen
class Tree:
    """Texts by path relative to the root, with ``/``; empty files are not there."""

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
    """Whether it is among the targets of a rule, as it is written."""
    rule = rf"^(?!\t)(?:[^:#=\n]*\s)?{re.escape(target)}(?:\s[^:#=\n]*)?:(?!=|:=)"
    return re.search(rule, makefile, re.MULTILINE) is not None


def read(root: str) -> Tree:
    """Look at a directory; `BadSetting` if it is none."""
    if not os.path.isdir(root):
        there = os.path.lexists(root)
        raise BadSetting(f"{root}: {'not a directory' if there else 'no such directory'}")
    return Tree(root, dict(sorted(_texts(root))))


def _texts(root: str) -> Iterator[tuple[str, str]]:
    for directory, below, names in os.walk(root):
        below[:] = [
            name
            for name in below
            if name == ".github" or not (name.startswith((".", "_trial_temp")) or name in _OTHERS)
        ]
        for name in names:
            path = os.path.join(directory, name)
            if not any(fnmatch(name, pattern) for pattern in READ) or not os.path.isfile(path):
                continue
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    text = file.read(_LARGEST)
            except OSError as error:
                raise BadSetting(f"{path}: it cannot be read: {error}") from error
            if text.strip():
                yield os.path.relpath(path, root).replace(os.sep, "/"), text
