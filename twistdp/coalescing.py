"""When to act on events: an isolated one at once, followers after a short window."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

QUIET = 0.005
"""Seconds without an event after which followers are acted on."""

LONGEST = 0.05
"""Seconds that a follower waits at most while events keep coming."""


class Coalescer:
    """Calls `act` for one or many events; nothing that happened before a call is missed by it."""

    def __init__(self, clock: IReactorTime, act: Callable[[], None]) -> None:
        self._clock = clock
        self._act = act
        self._latest = float("-inf")
        self._first = 0.0
        self._timer: IDelayedCall | None = None

    def event(self) -> None:
        """Something happened."""
        now = self._clock.seconds()
        isolated = now - self._latest >= QUIET
        self._latest = now
        if self._timer is not None:
            self._timer.reset(max(0.0, min(QUIET, self._first + LONGEST - now)))
        elif isolated:
            self._act()
        else:
            self._first = now
            self._timer = self._clock.callLater(QUIET, self._fire)

    def stop(self) -> None:
        """Do not act any more on what has happened so far."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        self._latest = self._clock.seconds()
        self._act()
