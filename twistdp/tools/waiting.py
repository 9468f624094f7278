"""A Deferred for work that may take its time to end after it was cancelled."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

_GOES_ON = object()


class Waiting:
    """Waits for the outcome of some work; `cancel` asks the work to end.

    A Deferred fires at once if its canceller does nothing.  This one waits on until `end`.
    """

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._cancel = cancel
        self._inner: Deferred[Any] | None = None

    def deferred(self) -> Deferred[Any]:
        """Return a Deferred that fires with the outcome."""
        self._inner = Deferred(self._cancelled)
        return self._inner.addCallback(self._again)

    def end(self, outcome: Any) -> None:
        """Fire with `outcome`, which may be a Failure; does nothing a second time."""
        inner, self._inner = self._inner, None
        if inner is not None:
            inner.callback(outcome)

    def _cancelled(self, inner: Deferred[Any]) -> None:
        self._cancel()
        if self._inner is inner:  # not ended by that
            inner.callback(_GOES_ON)

    def _again(self, outcome: Any) -> Any:
        return self.deferred() if outcome is _GOES_ON else outcome
