"""Runs scanners of either kind."""

from collections.abc import Callable
from inspect import iscoroutine
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistdp.backoff import Backoff
from twistdp.devices import DeviceTree
from twistdp.inotify import Inotify
from twistdp.interfaces import INotifier, IScanner
from twistdp.watching import Discovery, WatchingScanner, name_of

_log = Logger()

STABLE = 60.0
"""Seconds that a scanner must have run for its failure to be a new one."""


def is_scanner(candidate: object) -> bool:
    """Whether `candidate` can be run by `scan_service`."""
    return isinstance(candidate, WatchingScanner) or IScanner.providedBy(candidate)


def scan_service(
    scanner: IScanner | WatchingScanner,
    notifier: INotifier,
    *,
    reactor: Any,
    inotify: Inotify,
    scan_timeout: float,
    prepare: Callable[[DeviceTree], DeviceTree],
) -> IService:
    """The service that runs `scanner` and passes what it finds to `notifier`.

    What it finds in a thread of the framework's passes through `prepare` there.
    """
    if isinstance(scanner, WatchingScanner):
        return Discovery(
            scanner,
            notifier,
            reactor=reactor,
            inotify=inotify,
            scan_timeout=scan_timeout,
            prepare=prepare,
        )
    return OwnLoop(scanner, notifier, reactor=reactor)


class OwnLoop(Service):
    """Runs an `IScanner`, which has a loop of its own."""

    def __init__(self, scanner: IScanner, notifier: INotifier, *, reactor: Any) -> None:
        self._scanner = scanner
        self._notifier = notifier
        self._reactor = reactor
        self._backoff = Backoff(0.5, 60.0)
        self._running: Deferred[Any] | None = None
        self._timer: IDelayedCall | None = None
        self._since = 0.0

    def startService(self) -> None:
        """Call the scanner."""
        super().startService()
        self._scan()

    def stopService(self) -> None:
        """Cancel what the scanner returned, if that is still pending."""
        super().stopService()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        running, self._running = self._running, None
        if running is not None:
            running.cancel()

    def _scan(self) -> None:
        self._timer = None

        async def scan() -> None:
            result = self._scanner.scan(self._notifier)
            if iscoroutine(result) or isinstance(result, Deferred):
                await result

        self._since = self._reactor.seconds()
        self._running = Deferred.fromCoroutine(scan())
        self._running.addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        if not self.running and failure.check(CancelledError):
            return
        if self._reactor.seconds() - self._since > STABLE:
            self._backoff.reset()
        delay = self._backoff.next()
        _log.failure(
            "scanner {scanner} failed{then}",
            failure,
            scanner=name_of(self._scanner),
            then=f"; calling it again in {delay:.1f} s" if self.running else "",
        )
        if self.running:
            self._timer = self._reactor.callLater(delay, self._scan)
