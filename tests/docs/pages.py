"""The pages, and the blocks of code in them.

An indented block is what a reader types into a shell.  A fenced one has its language: ``python``;
``output`` is what the command before it prints, in whichever terminal; ``text`` is neither.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parent.parent.parent

PAGES = ("README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))))
"""All pages, by their paths in the project."""


@attrs.frozen
class Block:
    """One block of code."""

    page: str
    line: int
    """Its first line, from 1 on."""
    language: str
    """``sh`` for an indented block."""
    text: str
    words: str
    """The paragraph before it."""

    @property
    def file(self) -> str | None:
        """The file that is named in the words before it, when these end with a colon."""
        found = re.search(r"`([\w.-]+\.\w+)`[^`]*:$", self.words)
        return found and found[1]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def page(path: str) -> str:
    """The text of a page."""
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(path: str) -> Iterator[Block]:
    """The blocks of a page, in their order."""
    before, rest = "", page(path)
    while found := re.search(r"(?m)^```(\w*)\n((?:.*\n)*?)```$|^\n((?:(?:    .*)?\n)+)", rest):
        language, fenced, indented = found.groups()
        before += rest[: found.start()]
        words = before.rstrip().rpartition("\n\n")[2]
        text = fenced if indented is None else re.sub("(?m)^    ", "", indented)
        if text.strip():
            yield Block(
                path,
                before.count("\n") + 2,
                "sh" if indented is not None else language,
                text.strip("\n") + "\n",
                words,
            )
        before += found[0]
        rest = rest[found.end() :]


def commands(text: str) -> list[str]:
    """The commands of a shell block; comments and line ends that are escaped are taken away."""
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [command for line in lines if (command := re.sub(r"(^|\s+)#.*", "", line).strip())]
