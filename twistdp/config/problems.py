"""What is wrong with a configuration file, and where."""

from collections.abc import Sequence
from typing import Final

import attrs

from twistdp.errors import BadSetting
from twistdp.model import one_line

MOST: Final = 200
"""Problems of one file that are reported."""


@attrs.frozen
class Problem:
    """Something that is wrong with a file.

    `line` and `column` are counted from 1; `path` is the place in the document, as
    ``resources.camera.health[1].every``, empty for the whole.  `text` is the fact, then the
    remedy.  `suggestion` is the nearest valid word for one that is misspelt.
    """

    file: str
    line: int
    column: int
    path: str
    text: str
    suggestion: str | None = None

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}:{self.column}: {place}{self.text}"


class BadConfig(BadSetting):
    """A configuration file cannot be used; `problems` are all reasons, in the file's order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda each: (each.line, each.column)))
        more = len(self.problems) - 1
        rest = f" (and {more} more problem{'s' if more > 1 else ''})" if more else ""
        super().__init__(f"{self.problems[0]}{rest}")


class BadKey(BadSetting):
    """A value is wrong because of one key in it; `keys` lead to that."""

    def __init__(self, text: str, *keys: str) -> None:
        super().__init__(text)
        self.keys = keys


class BadKeys(BadSetting):
    """A value is wrong for several reasons; `errors` has each."""

    def __init__(self, errors: Sequence[BadSetting]) -> None:
        super().__init__("; ".join(map(str, errors)))
        self.errors = tuple(errors)


class Problems:
    """The problems of one file, as they are found."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Problem] = []

    def note(
        self, line: int, column: int, path: str, text: str, suggestion: str | None = None
    ) -> None:
        """Add a problem in one line; raises `BadConfig` when there are too many to go on."""
        self.found.append(Problem(self.file, line, column, path, one_line(text), suggestion))
        if len(self.found) >= MOST:
            text = f"{MOST} problems are reported, and the rest was not read; correct these first"
            raise BadConfig([*self.found, Problem(self.file, line, column, "", text)])
