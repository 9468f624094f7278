"""Where in an author's code something was raised: what a message names, instead of a stack."""

import os
import sysconfig
from traceback import walk_tb
from typing import Final

from twisted.python.failure import Failure

_PACKAGES: Final = tuple({sysconfig.get_path(name) for name in ("purelib", "platlib")})
_NOBODYS: Final = (
    *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib")},
    os.path.dirname(__file__),
    "<",  # frozen, or made as text
)


def place_of(error: BaseException | Failure) -> str:
    """``file:line`` of what was raised; empty if that is not known.

    It is the innermost line of a scanner's own code, where its author begins to look: neither
    Python's, nor twistdp's, nor an installed package's.  A scanner may itself be installed, and
    where there is nothing else, any line will do.
    """
    if isinstance(error, Failure):
        frames = [(file, line) for _, file, line, *_ in error.frames]
    else:
        frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    best = max(enumerate(frames), key=lambda item: (_rank(item[1][0]), item[0]), default=None)
    return "" if best is None else f"{best[1][0]}:{best[1][1]}"


def _rank(file: str) -> int:
    if file.startswith(_PACKAGES):
        return 1
    return 0 if file.startswith(_NOBODYS) else 2
