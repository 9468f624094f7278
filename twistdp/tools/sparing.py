"""Limits the log lines that a peer or a user can cause at will."""

from collections import deque
from collections.abc import Callable, Hashable
from time import monotonic
from typing import Final

from twisted.internet.interfaces import IReactorTime

FIRST: Final = 5
"""How many lines of a kind are logged at first; then the tenth, the hundredth and so on."""

WITHIN: Final = 60.0
"""Seconds after which the count of a kind starts from one again."""

MOST_TIMES: Final = 20
"""How often a `Budget` allows something within this time."""


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


class Budget:
    """Allows something `MOST_TIMES` within a minute; `seconds` returns the time."""

    def __init__(self, seconds: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque(maxlen=MOST_TIMES)

    def spend(self) -> bool:
        """Return whether it is allowed now, and count it if so."""
        now = self._seconds()
        if len(self._times) == MOST_TIMES and now - self._times[0] < WITHIN:
            return False
        self._times.append(now)
        return True
