"""Decides when to act on events: at once on an isolated one, later on those that follow it."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

QUIET = 0.005
"""Seconds without an event after which to act on followers, as long as there are few."""

LONGEST = 0.05
"""The most seconds that a follower waits, however many events come."""

CALM = 0.2
"""Seconds without an event after which the next one counts as isolated again."""


class Coalescer:
    """Calls `act` for one or many events; each event is followed by a call.

    The distance between calls doubles with each one, from `QUIET` to `LONGEST`, until it has been
    calm: a storm of any rhythm leads to 25 calls a second at most.
    """

    def __init__(self, clock: IReactorTime, act: Callable[[], None]) -> None:
        self._clock = clock
        self._act = act
        self._acted = float("-inf")
        self._distance = QUIET
        self._first = 0.0
        self._timer: IDelayedCall | None = None

    def event(self) -> None:
        """Note that something happened."""
        now = self._clock.seconds()
        if self._timer is not None:
            self._timer.reset(self._delay(now))
            return
        quiet = now - self._acted
        if quiet >= CALM:
            self._distance = QUIET / 2
        self._first = now
        if quiet >= self._distance:
            self._fire()
        else:
            self._timer = self._clock.callLater(self._delay(now), self._fire)

    def stop(self) -> None:
        """Forget the events so far."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _delay(self, now: float) -> float:
        """Return the time until it has been quiet, within limits."""
        soonest = min(now + QUIET, self._first + LONGEST)
        return max(soonest, self._acted + self._distance) - now

    def _fire(self) -> None:
        self._timer = None
        self._acted = self._clock.seconds()
        self._distance = min(2 * self._distance, LONGEST)
        self._act()
