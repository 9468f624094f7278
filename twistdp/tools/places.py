"""Finds where in an author's code an error was raised; messages name that instead of a stack."""

import os
import sysconfig
from traceback import walk_tb
from typing import Final

from twisted.python.failure import Failure

_PACKAGES: Final = tuple({sysconfig.get_path(name) for name in ("purelib", "platlib")})
_NOBODYS: Final = (
    *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib")},
    os.path.dirname(os.path.dirname(__file__)),  # twistdp
    "<",  # frozen, or made as text
)


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
    if file.startswith(_PACKAGES):
        return 1
    return 0 if file.startswith(_NOBODYS) else 2
