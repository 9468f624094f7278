"""Waits for conditions that something else makes true."""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime


class Conditions:
    """Those that are waited for; `look` is called whenever one may have become true."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._waiting: list[tuple[Callable[[], object], Deferred[None]]] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, condition: Callable[[], object], timeout: float) -> Deferred[None]:
        """Fires at the `look` that finds `condition` true.

        Fails with Twisted's TimeoutError after `timeout` seconds.
        """
        waiting: Deferred[None] = Deferred()
        self._waiting.append((condition, waiting))
        waiting.addTimeout(timeout, self._reactor)
        return waiting

    def look(self) -> None:
        """Fire those that are true now."""
        for entry in list(self._waiting):
            condition, waiting = entry
            if waiting.called:
                self._waiting.remove(entry)
            elif condition():
                self._waiting.remove(entry)
                waiting.callback(None)
