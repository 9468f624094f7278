"""Runs scanners of either kind."""

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistdp.errors import BadScanner
from twistdp.inotify import Inotify
from twistdp.model import (
    DeviceTree,
    INotifier,
    IScanner,
    check_call,
    hooks_of,
    kind_of,
    method_of,
    name_of,
    of_error,
)
from twistdp.rpc import called
from twistdp.scan.attributes import ATTRIBUTES, check_attributes
from twistdp.scan.watching import Discovery, WatchingScanner
from twistdp.tools import Backoff, News, Outage, at

_log = Logger()

STABLE = 60.0
"""Seconds that a scanner must have run for its failure to be a new one."""

CLEAN_UP = 5.0
"""Seconds for which a stop waits until a cancelled scanner has let go of its hardware."""


def check_scanner(candidate: object) -> None:
    """Raise `BadScanner` for what `scan_service` cannot run, or could not run for long."""
    hooks_of(candidate)
    if isinstance(candidate, WatchingScanner):
        check_attributes(candidate, ATTRIBUTES)
        _check_discover(candidate)
    elif method_of(candidate, "scan", IScanner, 1) is None:
        raise BadScanner(
            "not a scanner; derive it from twistdp.WatchingScanner or implement twistdp.IScanner"
        )
    else:
        check_attributes(candidate, ["join"])


def _check_discover(scanner: WatchingScanner) -> None:
    for name, arguments in (("discover", 0), ("follow", 1)):
        method: Any = getattr(scanner, name)
        if not callable(method):
            raise BadScanner(f"its {name} is {kind_of(method)}; define a method {name}()")
        if iscoroutinefunction(method):
            raise BadScanner(
                f"its {name}() is a coroutine, and is called in a thread: define it without "
                "async, or implement twistdp.IScanner"
            )
        check_call(method, name, arguments)
    if getattr(scanner.discover, "__func__", None) is WatchingScanner.discover:
        raise BadScanner("it does not define discover(), which finds the devices; define it")


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
    """Runs an `IScanner`, which has a loop of its own; in the reactor's thread."""

    def __init__(self, scanner: IScanner, notifier: INotifier, *, reactor: Any) -> None:
        self._scanner = scanner
        self._notifier = notifier
        self._reactor = reactor
        self._backoff = Backoff(0.5, 60.0)
        self._scan_running: Deferred[None] | None = None
        self._cancelled = False
        self._stopped: list[Deferred[None]] = []
        self._timer: IDelayedCall | None = None
        self._outage = Outage()

    def startService(self) -> None:
        """Call the scanner, as soon as what an earlier stop has cancelled has ended."""
        super().startService()
        if self._scan_running is None:
            self._scan()

    def stopService(self) -> Deferred[None]:
        """Cancel what the scanner returned, if that is still pending; fires when it has ended.

        After `CLEAN_UP` seconds it is waited for no longer.
        """
        super().stopService()
        self._drop_timer()
        if self._scan_running is None:
            return succeed(None)
        self._cancelled = True
        stopped: Deferred[None] = Deferred()
        self._stopped.append(stopped)
        self._scan_running.cancel()
        if not stopped.called:
            stopped.addTimeout(CLEAN_UP, self._reactor, self._clean_up_is_late)
        return stopped

    def _scan(self) -> None:
        self._timer = None
        if self._outage.count:
            self._timer = self._reactor.callLater(STABLE, self._works)
        self._cancelled = False
        self._scan_running = called(lambda: self._scanner.scan(self._notifier), self._reactor)
        self._scan_running.addCallbacks(self._returned, self._failed)
        self._scan_running.addBoth(self._ended)

    def _returned(self, _: None) -> None:
        self._drop_timer()
        if not self._cancelled:
            self._works()

    def _works(self) -> None:
        """The scan has lasted, or has returned without an error."""
        self._backoff.reset()
        if count := self._outage.over():
            _log.info(
                "scanner {scanner} works again, after {failures}",
                scanner=name_of(self._scanner),
                failures="1 failure" if count == 1 else f"{count} failures",
            )

    def _failed(self, failure: Failure) -> None:
        if self._cancelled and failure.check(CancelledError):
            return
        self._drop_timer()
        again = self.running and not self._cancelled
        delay = self._backoff.next()
        then = f"; calling it again in {delay:.1f} s" if again else ""
        name = name_of(self._scanner)
        news = self._outage.failed(failure)
        if news is News.STACK:
            _log.failure("scanner {scanner} failed{then}", failure, scanner=name, then=then)
        elif news is News.LINE:
            _log.error(
                "scanner {scanner} failed with {error}{at}{then}",
                scanner=name,
                error=of_error(failure.value),
                at=at(failure),
                then=then,
            )
        if again:
            self._timer = self._reactor.callLater(delay, self._scan)

    def _drop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _ended(self, outcome: Any) -> Any:
        self._scan_running = None
        stopped, self._stopped = self._stopped, []
        for waiting in stopped:
            if not waiting.called:
                waiting.callback(None)
        if self.running and self._cancelled:  # started again meanwhile
            self._scan()
        return outcome

    def _clean_up_is_late(self, _: object, seconds: float) -> None:
        _log.error(
            "scanner {scanner}: what it does has not ended {seconds:g} s after it was cancelled; "
            "it is waited for no longer, and scan() is not called again before that",
            scanner=name_of(self._scanner),
            seconds=seconds,
        )
