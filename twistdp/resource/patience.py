"""Waits for an answer of foreign code: reports a late one, and gives up after a limit."""

from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistdp.tools import Waiting

_log = Logger()

LONG: Final = 5.0
"""Seconds after which a missing answer is reported."""


class Patience:
    """The wait for one answer of a scanner's hook.

    After `limit` seconds it cancels the answer, and only logs a later outcome.  `scanner`, `hook`
    and `consequence`, which is what happens after the limit, are for messages.  While `pods_wait`
    for the answer, a late one is reported before the limit, too.
    """

    def __init__(
        self,
        answer: Deferred[Any],
        *,
        scanner: str,
        hook: str,
        limit: float,
        consequence: str,
        clock: IReactorTime,
        pods_wait: bool = True,
    ) -> None:
        self._answer = answer
        self._about: dict[str, Any] = {"scanner": scanner, "hook": hook}
        self._limit = limit
        self._consequence = consequence
        self._clock = clock
        self._pods_wait = pods_wait
        self._begun = clock.seconds()
        self._timers: list[IDelayedCall] = []
        self._has_ended = False
        self._waiting = Waiting(self._cancel)
        self.cancelled = False
        """Whether the caller has cancelled the wait."""
        self.over = False
        """Whether the limit was reached."""

    def wait(self) -> Deferred[tuple[Any, ...]]:
        """Fires with the answer, or the Failure in its place, in a tuple; empty after the limit.

        Cancelling it cancels the answer; it then fires when the answer has ended.
        """
        waiting = self._waiting.deferred()
        self._answer.addBoth(self._ended)
        if not self._has_ended:
            self._timers.append(self._clock.callLater(self._limit, self._give_up))
            if self._pods_wait and self._limit > LONG:
                self._timers.append(self._clock.callLater(LONG, self._report))
        return waiting

    def _cancel(self) -> None:
        self.cancelled = True
        self._answer.cancel()

    def _report(self) -> None:
        _log.warn(
            "scanner {scanner}: {hook} has not answered for {seconds:g} s, and the kubelet admits "
            "no other pod meanwhile; after {limit:g} s it is cancelled, and {consequence}",
            **self._about,
            seconds=LONG,
            limit=self._limit,
            consequence=self._consequence,
        )

    def _give_up(self) -> None:
        self.over = True
        _log.error(
            "scanner {scanner}: {hook} has not answered for {limit:g} s: it is cancelled, and "
            "{consequence}; see what it waits for",
            **self._about,
            limit=self._limit,
            consequence=self._consequence,
        )
        self._answer.cancel()
        self._waiting.end(())

    def _ended(self, outcome: Any) -> None:
        self._has_ended = True
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        if self.over:
            _log.info(
                "scanner {scanner}: {hook}, which was given up, has ended after {seconds:.1f} s",
                **self._about,
                seconds=self._clock.seconds() - self._begun,
            )
            if isinstance(outcome, Failure) and not outcome.check(CancelledError):
                _log.failure("scanner {scanner}: {hook} failed", failure=outcome, **self._about)
            return
        self._waiting.end((outcome,))
