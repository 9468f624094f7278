"""Which keys are worked on, and when: each once at a time, a few at once, failures less often."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from twistdp import klog
from twistdp.tools import Backoff

CONCURRENCY = 8
"""Keys that are worked on at the same time, and so the most requests under way."""

FIRST_RETRY, LONGEST_RETRY = 1.0, 300.0
"""Seconds until a key that failed is worked on again, at first and in the end."""


class WorkQueue:
    """Calls `work` for keys that were added, in the order in which they were added first.

    However often a key is added before its turn, it is worked on once; one that is added while it
    is worked on gets another turn.  Work begins in a later turn of the reactor, so a burst of
    `add` leads to one call.  `work` must not fail; if it does, that is logged as the fault it is.
    """

    def __init__(
        self,
        clock: IReactorTime,
        work: Callable[[str], Deferred[None]],
        concurrency: int = CONCURRENCY,
    ) -> None:
        self._clock = clock
        self._work = work
        self._concurrency = concurrency
        self._waiting: dict[str, None] = {}
        self._again: set[str] = set()
        self._running: dict[str, Deferred[None]] = {}
        self._timers: dict[str, IDelayedCall] = {}
        self._turn: IDelayedCall | None = None
        self._held_until = 0.0
        self._started = False

    def __len__(self) -> int:
        """The number of keys that wait for their turn, without those that wait for a time."""
        return len(self._waiting)

    def start(self) -> None:
        """Begin to work on what was added."""
        self._started = True
        self._schedule()

    def stop(self) -> Deferred[Any]:
        """Forget all keys and cancel the work on them; fires when that has ended."""
        self._started = False
        self._waiting.clear()
        self._again.clear()
        for timer in (*self._timers.values(), *([self._turn] if self._turn else [])):
            timer.cancel()
        self._timers.clear()
        self._turn = None
        running = list(self._running.values())
        ended = DeferredList([_end_of(deferred) for deferred in running])
        for deferred in running:
            deferred.cancel()
        return ended

    def add(self, key: str, after: float = 0.0) -> None:
        """Have `key` worked on in `after` seconds at the latest."""
        timer = self._timers.get(key)
        if after > 0:
            if key in self._waiting:
                return
            at = self._clock.seconds() + after
            if timer is None:
                self._timers[key] = self._clock.callLater(after, self._due, key)
            elif at < timer.getTime():
                timer.reset(after)
            return
        if timer is not None:
            timer.cancel()
            del self._timers[key]
        if key in self._running:
            self._again.add(key)
        else:
            self._waiting[key] = None
            self._schedule()

    def hold(self, seconds: float) -> None:
        """Begin no work for that long: the API server does not want more, or is away."""
        self._held_until = max(self._held_until, self._clock.seconds() + seconds)
        self._schedule()

    def _due(self, key: str) -> None:
        del self._timers[key]
        self.add(key)

    def _schedule(self) -> None:
        if self._started and self._waiting and len(self._running) < self._concurrency:
            delay = max(0.0, self._held_until - self._clock.seconds())
            if self._turn is None:
                self._turn = self._clock.callLater(delay, self._begin)
            elif self._turn.getTime() < self._held_until:
                self._turn.reset(delay)

    def _begin(self) -> None:
        self._turn = None
        while self._waiting and len(self._running) < self._concurrency:
            key = next(iter(self._waiting))
            del self._waiting[key]
            # Present before the work begins, which may add its own key or end at once.
            marker: Deferred[None] = Deferred()
            self._running[key] = marker
            deferred = self._work(key)
            self._running[key] = deferred
            deferred.addErrback(self._failed, key)
            deferred.addBoth(self._ended, key)

    def _failed(self, failure: Failure, key: str) -> None:
        if not failure.check(CancelledError):
            klog.failure("the work on an object has failed", failure, object=key)
            self.add(key, LONGEST_RETRY)

    def _ended(self, _: object, key: str) -> None:
        del self._running[key]
        if key in self._again:
            self._again.discard(key)
            self._waiting[key] = None
        self._schedule()


class Attempts:
    """When something that failed may be tried again; at once as long as all is well."""

    def __init__(
        self, clock: IReactorTime, first: float = FIRST_RETRY, most: float = LONGEST_RETRY
    ) -> None:
        self._clock = clock
        self._backoff = Backoff(first, most)
        self._not_before = 0.0
        self.failures = 0
        """Failures in a row."""

    @property
    def wait(self) -> float:
        """Seconds until the next attempt, 0 if it may be made now."""
        return max(0.0, self._not_before - self._clock.seconds())

    def failed(self) -> float:
        """Take note of a failure; return the seconds until the next attempt."""
        self.failures += 1
        delay = self._backoff.next()
        self._not_before = self._clock.seconds() + delay
        return delay

    def reset(self) -> None:
        """Take note that it works, or that there is something else to try."""
        self.failures = 0
        self._not_before = 0.0
        self._backoff.reset()


def _end_of(deferred: Deferred[None]) -> Deferred[None]:
    """Return a Deferred that fires when the other one has fired, which keeps its result."""
    ended: Deferred[None] = Deferred()

    def pass_on(result: Any) -> Any:
        ended.callback(None)
        return result

    deferred.addBoth(pass_on)
    return ended
