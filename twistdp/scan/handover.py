"""Trees of a scanner with a loop of its own, on their way to who serves their devices."""

from collections.abc import Callable
from typing import Final

from twisted.logger import Logger
from twisted.python.failure import Failure

from twistdp.model import DeviceTree
from twistdp.tools import Worker

_log = Logger()

LARGE: Final = 1000
"""Devices of a tree that is too much for the reactor's thread: some 50 ms, when all are new."""


class Handover:
    """Prepares trees and delivers them in their order, small ones at once.

    With the first tree of `LARGE` devices all go through a thread, so that no two are prepared at
    the same time and none overtakes another; what comes while one is prepared waits, the newest
    only.  `about` names the scanner, for the log.
    """

    def __init__(
        self,
        about: str,
        prepare: Callable[[DeviceTree], DeviceTree],
        deliver: Callable[[DeviceTree], None],
        worker: Worker,
    ) -> None:
        self._about = about
        self._prepare = prepare
        self._deliver = deliver
        self._worker = worker
        self._uses_thread = False
        self._is_busy = False
        self._waiting: DeviceTree | None = None

    def take(self, tree: DeviceTree) -> None:
        """Prepare `tree` as it is now, and deliver it, unless a newer one comes before that."""
        if not self._uses_thread:
            self._uses_thread = sum(len(tree[kind]) for kind in tree) >= LARGE
        if not self._uses_thread:
            self._deliver(self._prepare(tree))
            return
        self._waiting = tree.copy()  # the scanner may go on to change its own
        tree.settle()
        if not self._is_busy:
            self._begin()

    def stop(self) -> None:
        """Drop what was not delivered."""
        self._worker.stop()
        self._waiting = None
        self._is_busy = False

    def _begin(self) -> None:
        tree, self._waiting = self._waiting, None
        assert tree is not None
        self._is_busy = True
        prepared = self._worker.call(lambda: self._prepare(tree))
        prepared.addErrback(self._without_thread, tree)
        prepared.addCallback(self._deliver)
        prepared.addErrback(self._failed)
        prepared.addCallback(self._next)

    def _without_thread(self, failure: Failure, tree: DeviceTree) -> DeviceTree:
        """When the system has no thread for us, none prepares anything now."""
        failure.trap(OSError)
        return self._prepare(tree)

    def _failed(self, failure: Failure) -> None:
        doing = "scanner {scanner}: taking the devices that it has found"
        _log.failure(doing, failure, scanner=self._about)

    def _next(self, _: object) -> None:
        self._is_busy = False
        if self._waiting is not None:
            self._begin()
