"""Takes the trees of a scanner with a loop of its own."""

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadable import isInIOThread
from zope.interface import implementer

from twistdp.errors import BadTree
from twistdp.host import SOON
from twistdp.model import DeviceTree, INotifier, Updates, check_tree
from twistdp.scan.prepare import Preparation
from twistdp.tools import Worker

_log = Logger()

LARGE: Final = 1000
"""Devices of a tree that is too much for the reactor's thread: some 50 ms, when all are new."""


@implementer(INotifier)
class Notifier:
    """Prepares trees in their order and delivers the updates, of small trees at once.

    From the first tree of `LARGE` devices on, all are prepared in a thread, so that no two are
    prepared at the same time and none overtakes another.  While one is prepared, only the newest
    of those that come is kept.  `scanner` is its name, for the log.
    """

    def __init__(
        self,
        scanner: str,
        new_preparation: Callable[[], Preparation],
        deliver: Callable[[Updates], None],
        reactor: Any,
    ) -> None:
        self._scanner = scanner
        self._new_preparation = new_preparation
        self._deliver = deliver
        self._reactor = reactor
        self._worker = Worker(scanner, reactor)
        self._prepare: Preparation | None = None
        self._uses_thread = False
        self._is_busy = False
        self._waiting: DeviceTree | None = None
        self._logged = ""
        self._retry: IDelayedCall | None = None
        self._begun = 0.0
        self.taken: Callable[[float], object] = lambda _: None
        """Called with the seconds that it took, after a tree was taken."""

    def start(self) -> None:
        """Take trees from now on; the first is compared with none."""
        self._prepare = self._new_preparation()

    def stop(self) -> None:
        """Take no more trees, and drop those that were not delivered."""
        self._worker.stop()
        self._prepare = self._waiting = None
        self._is_busy = False
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def notify(self, tree: DeviceTree) -> None:
        """See `INotifier.notify`."""
        try:
            copied = check_tree(tree).copy()
        except BadTree:
            _log.failure(
                "scanner {scanner}: notify() needs a DeviceTree, the devices stay as they were",
                scanner=self._scanner,
            )
            return
        tree.settle()
        if isInIOThread():
            self._take(copied)
        else:
            self._reactor.callFromThread(self._take, copied)

    def _take(self, tree: DeviceTree) -> None:
        if self._prepare is None:
            return
        self._uses_thread |= sum(len(tree[kind]) for kind in tree) >= LARGE
        self._waiting = tree
        if not self._is_busy:
            self._next()

    def _next(self) -> None:
        """Prepare the waiting tree, and deliver its updates."""
        tree, self._waiting, self._retry = self._waiting, None, None
        prepare = self._prepare
        self._is_busy = tree is not None
        if tree is None or prepare is None:
            return
        self._begun = self._reactor.seconds()
        updates: Deferred[Updates]
        if self._uses_thread:
            updates = self._worker.call(lambda: prepare(tree))
        else:
            updates = execute(prepare, tree)
        updates.addCallback(self._prepared)
        updates.addErrback(self._failed, tree)

    def _prepared(self, updates: Updates) -> None:
        self._logged = ""
        self.taken(self._reactor.seconds() - self._begun)
        self._deliver(updates)
        self._next()

    def _failed(self, failure: Failure, tree: DeviceTree) -> None:
        if repr(failure.value) != self._logged:
            self._logged = repr(failure.value)
            _log.failure(
                "scanner {scanner}: cannot take its tree, the devices stay as they were; trying "
                "again every second",
                failure,
                scanner=self._scanner,
            )
        if self._waiting is None:
            self._waiting = tree
        self._retry = self._reactor.callLater(SOON, self._next)
