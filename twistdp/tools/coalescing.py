"""When to act on events: an isolated one at once, followers after a window that grows with them."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

QUIET = 0.005
"""Seconds without an event after which followers are acted on, as long as there are few."""

LONGEST = 0.05
"""Seconds that a follower waits at most, however many events come."""

CALM = 0.2
"""Seconds without an event after which it is forgotten that there were many."""


class Coalescer:
    """Calls `act` for one or many events; nothing that happened before a call is missed by it.

    Calls keep a distance that doubles with each one, from `QUIET` to `LONGEST`, until it has been
    calm: no storm of whatever rhythm leads to more than 25 calls a second.
    """

    def __init__(self, clock: IReactorTime, act: Callable[[], None]) -> None:
        self._clock = clock
        self._act = act
        self._acted = float("-inf")
        self._distance = QUIET
        self._first = 0.0
        self._timer: IDelayedCall | None = None

    def event(self) -> None:
        """Something happened."""
        now = self._clock.seconds()
        if self._timer is not None:
            self._timer.reset(self._delay(now))
            return
        # Whatever came since has been acted on by then.
        quiet = now - self._acted
        if quiet >= CALM:
            self._distance = QUIET / 2
        self._first = now
        if quiet >= self._distance:
            self._fire()
        else:
            self._timer = self._clock.callLater(self._delay(now), self._fire)

    def stop(self) -> None:
        """Do not act any more on what has happened so far."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _delay(self, now: float) -> float:
        """Until it has been quiet for a while, but not for long, nor soon after the last call."""
        soonest = min(now + QUIET, self._first + LONGEST)
        return max(soonest, self._acted + self._distance) - now

    def _fire(self) -> None:
        self._timer = None
        self._acted = self._clock.seconds()
        self._distance = min(2 * self._distance, LONGEST)
        self._act()
