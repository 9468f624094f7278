"""Decides when the kubelet is asked: one question at a time, soon after something has happened."""

from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

T = TypeVar("T")

AFTER: Final = 0.05
"""Seconds from an event to the question: a kubelet lists a device within 20 ms of Allocate."""

GAP: Final = 0.1
"""Seconds between two questions: a kubelet answers 100 a second, of all who ask."""


class Questions(Generic[T]):
    """Questions that are due, and those who wait for an answer; many share one.

    `ask` asks, and returns the answer; it never fails.  `answered` is called when those who waited
    have it, and returns when to ask again though nothing happens, in seconds of the clock.  `left`
    is called when one of them waits no more.
    """

    def __init__(
        self,
        clock: IReactorTime,
        ask: Callable[[], Coroutine[Deferred[Any], Any, T]],
        answered: Callable[[], float | None],
        left: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._ask = ask
        self._answered = answered
        self._left = left
        self.begun = float("-inf")
        """The time in seconds of the last question, whether it was answered or not."""
        self._due: list[float] = []
        """When to ask, after events."""
        self._later: float | None = None
        """When to ask though nothing has happened."""
        self._timer: IDelayedCall | None = None
        self._asking: Deferred[Any] | None = None
        self._asked: list[Deferred[T]] = []
        """Those who wait for the answer that is under way."""
        self._waiting: list[Deferred[T]] = []
        """Those whose question came too late for it."""

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for an answer."""
        return bool(self._asked or self._waiting)

    def ask(self) -> Deferred[T]:
        """Ask, at once if possible; fires with the answer."""

        def cancel(waiting: Deferred[T]) -> None:
            for some in (self._asked, self._waiting):
                if waiting in some:
                    some.remove(waiting)
            self._left()

        waiting: Deferred[T] = Deferred(cancel)
        self._waiting.append(waiting)
        self.ask_soon(0.0)
        return waiting

    def ask_soon(self, delay: float = AFTER) -> None:
        """Ask after `delay` seconds."""
        due = self._clock.seconds() + delay
        if not any(due <= other <= due + AFTER for other in self._due):
            self._due = sorted([*self._due, due])
        self._plan()

    def stop(self) -> None:
        """Ask no more, until the next question; a call that is under way ends."""
        self._due, self._later = [], None
        self._plan()
        if self._asking is not None:
            self._asking.cancel()

    def _plan(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = [*self._due, *([] if self._later is None else [self._later])]
        if due and self._asking is None:
            wait = max(min(due), self.begun + GAP) - self._clock.seconds()
            self._timer = self._clock.callLater(max(wait, 0.0), self._begin)

    def _begin(self) -> None:
        self._timer = None
        self.begun = now = self._clock.seconds()
        self._due, self._later = [due for due in self._due if due > now], None
        self._asked, self._waiting = self._waiting, []
        self._asking = asking = Deferred.fromCoroutine(self._ask())
        asking.addCallback(self._ended)

    def _ended(self, answer: T) -> None:
        self._asking = None
        answered, self._asked = self._asked, []
        for waiting in answered:
            if not waiting.called:  # another callback may have cancelled it
                waiting.callback(answer)
        self._later = self._answered()
        self._plan()
