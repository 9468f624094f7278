"""Finds where in an author's code an error was raised; messages name that instead of a stack."""

import os
import sys
from functools import cache
from traceback import walk_tb

from twisted.python.failure import Failure


def place_of(error: BaseException | Failure) -> str:
    """Return ``file:line`` of where an error was raised; empty if that is not known.

    It is the innermost line of the scanner's own code, where its author begins to look: not of
    Python, twistdp or an installed package, unless all of the code is in a package.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    if isinstance(error, Failure):
        frames = [(file, line) for _, file, line, *_ in error.frames]
    else:
        frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    best = max((_rank(file) for file, _ in frames), default=0)
    if best == 0:
        return ""
    file, line = [frame for frame in frames if _rank(frame[0]) == best][-1]
    return f"{file}:{line}"


def at(error: BaseException | Failure) -> str:
    """Return the place as the end of a sentence: ", at file:line", or nothing."""
    place = place_of(error)
    return f", at {place}" if place else ""


def _rank(file: str) -> int:
    packages, nobodys = _directories()
    if file.startswith(packages):
        return 1
    return 0 if file.startswith(nobodys) else 2


@cache
def _directories() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Where installed packages are, and where code is that no author of a scanner wrote.

    Imports nothing: an error may mean that no file can be opened.
    """
    return (
        tuple(path for path in sys.path if path.endswith(("site-packages", "dist-packages"))),
        (
            os.path.dirname(os.__file__),  # Python's own
            os.path.dirname(os.path.dirname(__file__)),  # twistdp
            "<",  # frozen, or made as text
        ),
    )
