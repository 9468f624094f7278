"""What somebody may have meant who wrote a name that there is not."""

from collections.abc import Iterable
from difflib import get_close_matches


def meant(written: str, known: Iterable[str]) -> str:
    """The end of a message about `written`: "; did you mean …?", or nothing if nothing is close."""
    names = {_compared(name): name for name in known}
    close = get_close_matches(_compared(written), names, n=1)
    return f"; did you mean {names[close[0]]}?" if close else ""


def _compared(name: str) -> str:
    return name.lower().lstrip("-")
