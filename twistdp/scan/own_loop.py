"""Runs scanners with a loop of their own."""

from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistdp.model import IScanner, name_of
from twistdp.rpc import called
from twistdp.scan.checks import counted_checks_of
from twistdp.scan.failures import Failures
from twistdp.scan.notifier import Notifier
from twistdp.tools import Backoff

_log = Logger()

STABLE = 60.0
"""Seconds without a failure after which the next failure is a new one."""

CLEAN_UP = 5.0
"""Seconds that a cancelled scanner has to release its hardware before a stop goes on."""


class OwnLoop(Service):
    """Runs an `IScanner`, which has a loop of its own, in the reactor's thread."""

    def __init__(self, scanner: IScanner, notifier: Notifier, *, reactor: Any) -> None:
        self._scanner = scanner
        self._notifier = notifier
        self._reactor = reactor
        self._checks = counted_checks_of(scanner, reactor)
        self._backoff = Backoff(0.5, 60.0)
        self._scan_running: Deferred[None] | None = None
        self._cancelled = False
        self._stopped: list[Deferred[None]] = []
        self._timer: IDelayedCall | None = None
        self._failures = Failures(scanner, reactor=reactor)
        notifier.taken = partial(self._failures.ended, failed=False)

    def startService(self) -> None:
        """Call the scanner, once a call that an earlier stop has cancelled has ended."""
        super().startService()
        self._notifier.start()
        self._checks.start(self._reactor)
        if self._scan_running is None:
            self._scan()

    def stopService(self) -> Deferred[None]:
        """Cancel the scanner's pending result; fires when it has ended.

        It fires after `CLEAN_UP` seconds at the latest.
        """
        super().stopService()
        self._notifier.stop()
        self._checks.stop()
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
        if self._failures:
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
        self._failures.end()

    def _failed(self, failure: Failure) -> None:
        if self._cancelled and failure.check(CancelledError):
            return
        self._drop_timer()
        again = self.running and not self._cancelled
        delay = self._backoff.next()
        self._failures.ended(0.0, failed=True)
        self._failures.add(failure, delay if again else None)
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
            "scanner {scanner}: scan() has not ended {seconds:g} s after it was cancelled; the "
            "stop goes on without it, and scan() is not called again before it has ended",
            scanner=name_of(self._scanner),
            seconds=seconds,
        )
