"""Limits the log lines that a peer can cause at will: a few are logged, with numbers."""

from collections.abc import Hashable
from typing import Final

from twisted.internet.interfaces import IReactorTime

FIRST: Final = 5
"""How many lines of a kind are logged at first; then the tenth, the hundredth and so on."""

WITHIN: Final = 60.0
"""Seconds after which the count of a kind starts from one again."""


class Sparing:
    """Counts the lines of each kind, and decides which to log."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._kinds: dict[Hashable, tuple[float, int]] = {}

    def count(self, kind: Hashable) -> str | None:
        """Return the end of a line of this kind; None if it is not to be logged."""
        now = self._clock.seconds()
        since, before = self._kinds.get(kind, (now, 0))
        number = before + 1
        if now - since >= WITHIN:
            since, number = now, 1
        self._kinds[kind] = since, number
        if number < FIRST:
            return ""
        if number > FIRST and str(number).strip("0") != "1":
            return None
        return f" (the {number}th of the kind within a minute, of which few are logged)"
