"""Of lines that a peer can cause at will, the log has a few, with numbers."""

from collections.abc import Hashable
from typing import Final

from twisted.internet.interfaces import IReactorTime

FIRST: Final = 5
"""So many lines of a kind are logged as they come, then the tenth, the hundredth and so on."""

WITHIN: Final = 60.0
"""Seconds after which a kind is counted from one again."""


class Sparing:
    """Counts lines of each kind by `clock`, and says which to log."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._kinds: dict[Hashable, tuple[float, int]] = {}

    def count(self, kind: Hashable) -> str | None:
        """What a line of this kind ends with; None if it is to be left out."""
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
