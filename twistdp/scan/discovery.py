"""Runs a `WatchingScanner`.

A scanner is foreign code: whatever it does, the devices of the last good scan stay listed, the
reactor is not blocked, and the process can be stopped.
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from twistdp.host import SOON, remedy_for
from twistdp.inotify import Changes, Inotify
from twistdp.model import Updates, name_of
from twistdp.scan.attributes import Attribute, check_interval
from twistdp.scan.checks import counted_checks_of
from twistdp.scan.failures import Failures
from twistdp.scan.looking import look
from twistdp.scan.pending import Pending
from twistdp.scan.prepare import Preparation
from twistdp.scan.scanner import WatchingScanner
from twistdp.scan.watchset import WatchSet
from twistdp.tools import Backoff, Coalescer, Worker, stop_all

REST = 9.0
"""Times the duration of a scan that pass before the next one, where paths have to be polled."""


class Discovery(Service):
    """Runs a `WatchingScanner`: first, on events, now and then, and after a failure.

    Its trees are compared by what `new_preparation` makes, in the scanner's thread, and the
    updates are given to `deliver`.
    """

    def __init__(
        self,
        scanner: WatchingScanner,
        new_preparation: Callable[[], Preparation],
        deliver: Callable[[Updates], None],
        *,
        reactor: Any,
        inotify: Inotify,
        scan_timeout: float,
    ) -> None:
        self._scanner = scanner
        self._new_preparation = new_preparation
        self._deliver = deliver
        self._name = name = name_of(scanner)
        self._reactor = reactor
        self._scan_timeout = scan_timeout
        self._checks = counted_checks_of(scanner, reactor)
        self._backoff = Backoff(0.5, 30.0)
        self._failures = Failures(scanner, "the scan", reactor=reactor)
        self._worker = Worker(name, reactor)
        self._coalescer = Coalescer(reactor, self._scan)
        self._watches = WatchSet(
            scanner, self._event, self.rescan, inotify=inotify, reactor=reactor
        )
        self._interval = Attribute(scanner, "rescan_interval", check_interval, 60.0, name)
        self._changes = Pending()
        self._scanning = False
        self._begun = 0.0
        self._rested = 0.0
        self._hung: IDelayedCall | None = None
        self._retry: IDelayedCall | None = None
        self._rescan: IDelayedCall | None = None

    def startService(self) -> None:
        """Watch, and scan for the first time; after a stop, when a scan under way has ended."""
        super().startService()
        # A new one: updates of a scan that was under way at the stop are never delivered.
        self._prepare = self._new_preparation()
        self._scanning = False
        self._retry = None
        self._rested = 0.0
        self._backoff.reset()
        self._changes.add(None)
        self._watches.follow()
        self._checks.start(self._reactor, lambda: self._event(frozenset()))
        self._begin()

    def stopService(self) -> None:
        """Stop at once, even in the middle of a scan."""
        super().stopService()
        for timer in (self._hung, self._retry, self._rescan):
            if timer is not None and timer.active():
                timer.cancel()
        stop_all(f"scanner {self._name}", self._checks.stop, self._coalescer.stop)
        stop_all(f"scanner {self._name}", self._worker.stop, self._watches.stop)

    def _event(self, changes: Changes) -> None:
        if changes is None and self._reactor.seconds() < self._rested and self._watches.polled:
            return  # it reports again in a second
        self._changes.add(changes)
        self._coalescer.event()

    def rescan(self) -> None:
        """Scan everything soon.

        Called when all paths are watched, too: what happened there before has made no event.
        """
        self._changes.add(None)
        self._coalescer.event()

    def _scan(self) -> None:
        """Scan now if no scan runs and none has just failed; otherwise soon."""
        if self._scanning:
            return  # what has changed is looked at afterwards
        if self._retry is not None:
            # The event may have removed the cause, but many events must not fill the log.
            if self._retry.getTime() - self._reactor.seconds() > SOON:
                self._retry.reset(SOON)
        else:
            self._begin()

    def _begin(self) -> None:
        changes = self._changes.take()
        self._retry = None
        self._scanning = True
        self._begun = self._reactor.seconds()
        self._hung = self._reactor.callLater(
            self._scan_timeout,
            lambda: self._failures.hung(self._scan_timeout, self._worker.stack()),
        )
        scan = self._worker.call(partial(self._look, changes, self._prepare))
        scan.addBoth(self._returned, full=changes is None)
        scan.addCallback(self._found, full=changes is None)
        scan.addErrback(self._failed)

    def _look(self, changes: Collection[str] | None, prepare: Preparation) -> Updates:
        """One scan, in the thread."""
        return prepare(look(self._scanner, changes, self._checks))

    def _returned(self, outcome: Any, full: bool) -> Any:
        self._scanning = False
        now = self._reactor.seconds()
        self._failures.ended(now - self._begun, isinstance(outcome, Failure))
        if full:
            self._rested = now + REST * (now - self._begun)
        assert self._hung is not None
        if self._hung.active():
            self._hung.cancel()
        else:
            self._failures.returned()
        return outcome

    def _found(self, updates: Updates, full: bool) -> None:
        self._deliver(updates)
        if not self.running:
            return  # the receiver has stopped us
        if self._watches.follow():
            # What happened there before it was watched has made no event.
            self._changes.add(None)
        if full:
            self._schedule_rescan()
        self._backoff.reset()
        self._failures.end()
        if self._changes:
            self._coalescer.event()

    def _failed(self, failure: Failure) -> None:
        remedy = remedy_for(failure.value)
        if remedy is not None:
            delay = SOON
            self._failures.add_lack(failure, remedy)
        else:
            delay = self._backoff.next()
            if self._changes:  # as if the event had come after the scan
                delay = min(delay, SOON)
            self._failures.add(failure, delay)
        self._changes.add(None)
        self._retry = self._reactor.callLater(delay, self._begin)

    def _schedule_rescan(self) -> None:
        interval = self._interval.read()
        if self._rescan is not None and self._rescan.active():
            self._rescan.reset(interval)
        else:
            self._rescan = self._reactor.callLater(interval, self._scan_everything)

    def _scan_everything(self) -> None:
        self._changes.add(None)
        self._scan()
