"""Guesses which name somebody meant who wrote an unknown one."""

from collections.abc import Iterable
from difflib import get_close_matches


def meant(written: str, known: Iterable[str]) -> str:
    """Return the end of a message about `written`: "; did you mean …?", or nothing."""
    close = nearest(written, known)
    return f"; did you mean {close}?" if close is not None else ""


def nearest(written: str, known: Iterable[str]) -> str | None:
    """Return the name most like `written`, if any is close; a difference of one letter wins.

    Capitals and leading dashes make no difference.
    """
    names = {_compared(name): name for name in known}
    wanted = _compared(written)
    next_to = [name for name in names if _is_slip(wanted, name)]
    close = get_close_matches(wanted, next_to or names, n=1, cutoff=0.0 if next_to else 0.6)
    return names[close[0]] if close else None


def _is_slip(written: str, name: str) -> bool:
    """Whether a letter is wrong, missing or one too many, or two neighbours are swapped."""
    start = next((i for i, (a, b) in enumerate(zip(written, name, strict=False)) if a != b), None)
    if start is None:
        return abs(len(written) - len(name)) <= 1
    one, other = written[start:], name[start:]
    if one[1:] == other or one == other[1:] or one[1:] == other[1:]:
        return True
    return one[:2] == other[1::-1] and one[2:] == other[2:]


def _compared(name: str) -> str:
    return name.lower().lstrip("-")
