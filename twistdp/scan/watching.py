"""Scanners that watch paths: the class that authors derive from, and the service that runs it.

A scanner is foreign code: whatever it does, the last good tree stays in force, the reactor is
not blocked, and the process can be stopped.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistdp.errors import BadTree
from twistdp.host import SOON, mending
from twistdp.inotify import ATTRIBUTES, CONTENTS, ENTRIES, Changes, Inotify
from twistdp.model import DeviceTree, INotifier, kind_of, name_of, of_error
from twistdp.scan.attributes import Attribute, check_contents, check_interval, check_paths
from twistdp.scan.watchset import WatchSet
from twistdp.tools import Backoff, Coalescer, News, Outage, Worker, at, stop_all

_log = Logger()

REST = 9.0
"""Times the duration of a scan that pass before the next one, where paths have to be polled."""


class WatchingScanner:
    """The usual base of a scanner: name what to watch, and write `discover`.

    `paths` are directories (or single files) whose changes call for a new scan; they need not
    exist yet, and are read again after every scan.  `rescan_interval` is the time in seconds
    between full scans that happen anyway, as a net for what events cannot tell.  With
    `contents`, writing to a file is a change too; pass False for directories such as /dev,
    where every write to /dev/null would be one.  All three are attributes too, read again after
    every scan; the constructor raises `twistdp.BadScanner` for values that cannot be used.

    `check_paths` says whether devices with paths that others could change are left out (see
    `twistdp.check_trusted`); a class that sets it to False takes them, and so does
    ``--check-paths=false``, which sets it.

    The constructor runs before the process becomes a daemon: store values there and nothing
    else, no thread, socket or open file.
    """

    paths: Sequence[str] = ()
    rescan_interval: float = 60.0
    contents: bool = True
    check_paths: bool = True

    def __init__(
        self, paths: Sequence[str] = (), rescan_interval: float = 60.0, contents: bool = True
    ) -> None:
        self.paths = list(check_paths(paths))
        self.rescan_interval = check_interval(rescan_interval)
        self.contents = check_contents(contents)

    def discover(self) -> DeviceTree:
        """Look at the hardware and return all devices that are there now.

        Called in a thread of the scanner's own, never twice at once.  It may block; a call that
        takes longer than the scan timeout is reported.  What it raises is logged, and it is
        called again later.
        """
        raise NotImplementedError(f"{name_of(self)} must define discover()")

    def follow(self, changed: Collection[str]) -> DeviceTree:
        """Like `discover`, when only these paths changed since the last call.

        For scanners that can look at a few paths instead of everything; by default it
        discovers.  Called in the same thread.
        """
        return self.discover()


MOST_CHANGES: Final = 4096
"""Paths that are kept for the next scan; of more it is only known that something changed."""


class Pending:
    """What changed since the last scan began: some paths, or anything."""

    def __init__(self) -> None:
        self._paths: set[str] = set()
        self._anything = True

    def __len__(self) -> int:
        return len(self._paths)

    def add(self, changes: Changes) -> None:
        """These changed too."""
        if changes is not None and not self._anything:
            self._paths |= changes
        if changes is None or len(self._paths) > MOST_CHANGES:
            self._anything = True
            self._paths.clear()

    def take(self) -> Collection[str] | None:
        """What changed, None for anything; nothing has from now on."""
        paths, self._paths = self._paths, set()
        anything, self._anything = self._anything, False
        return None if anything else paths


class Discovery(Service):
    """Runs a `WatchingScanner`: first, on events, now and then, and after a failure.

    What it finds passes through `prepare`, in the scanner's thread, on its way to `notifier`.
    """

    def __init__(
        self,
        scanner: WatchingScanner,
        notifier: INotifier,
        *,
        reactor: Any,
        inotify: Inotify,
        scan_timeout: float,
        prepare: Callable[[DeviceTree], DeviceTree] = DeviceTree.copy,
    ) -> None:
        self._scanner = scanner
        self._prepare = prepare
        self._scanner_name = name_of(scanner)
        self._notifier = notifier
        self._reactor = reactor
        self._scan_timeout = scan_timeout
        self._backoff = Backoff(0.5, 30.0)
        self._outage = Outage()
        self._lacking: str | None = None
        """The remedy that the last scan was in need of."""
        self._worker = Worker(self._scanner_name, reactor)
        self._coalescer = Coalescer(reactor, self._scan)
        self._watches = WatchSet(
            f"scanner {self._scanner_name}",
            self._event,
            self._unseen,
            inotify=inotify,
            reactor=reactor,
        )
        name = self._scanner_name
        nothing: tuple[str, ...] = ()
        self._paths = Attribute(scanner, "paths", check_paths, nothing, name)
        self._interval = Attribute(scanner, "rescan_interval", check_interval, 60.0, name)
        self._contents = Attribute(scanner, "contents", check_contents, True, name)
        self._changes = Pending()
        self._scanning = False
        self._again = False
        self._begun = 0.0
        self._rested = 0.0
        self._hung: IDelayedCall | None = None
        self._retry: IDelayedCall | None = None
        self._rescan: IDelayedCall | None = None

    def startService(self) -> None:
        """Watch, and scan for the first time; after a stop, when a scan under way has ended."""
        super().startService()
        self._scanning = self._again = False
        self._retry = None
        self._rested = 0.0
        self._backoff.reset()
        self._changes.add(None)
        self._watch()
        self._scan()

    def stopService(self) -> None:
        """Stop at once, even in the middle of a scan."""
        super().stopService()
        for timer in (self._hung, self._retry, self._rescan):
            if timer is not None and timer.active():
                timer.cancel()
        stop_all(
            f"scanner {self._scanner_name}",
            self._coalescer.stop,
            self._worker.stop,
            self._watches.stop,
        )

    def _watch(self) -> bool:
        """Watch the scanner's paths as they are now; see `WatchSet.want`."""
        mask = ENTRIES | ATTRIBUTES | (CONTENTS if self._contents.read() else 0)
        return self._watches.want(self._paths.read(), mask)

    def _unseen(self) -> None:
        """More paths are watched now: what happened there before has made no event."""
        self._changes.add(None)
        self._coalescer.event()

    def _event(self, changes: Changes) -> None:
        if changes is None and self._reactor.seconds() < self._rested and self._watches.polled:
            return  # it reports again in a second
        self._changes.add(changes)
        self._coalescer.event()

    def _scan(self) -> None:
        """Scan now if no scan runs and none has just failed; otherwise soon."""
        if self._scanning:
            self._again = True
        elif self._retry is not None:
            # What happened may have mended the cause, but a storm must not fill the log.
            if self._retry.getTime() - self._reactor.seconds() > SOON:
                self._retry.reset(SOON)
        else:
            self._begin()

    def _begin(self) -> None:
        changes = self._changes.take()
        self._retry = None
        self._scanning, self._again = True, False
        self._begun = self._reactor.seconds()
        self._hung = self._reactor.callLater(self._scan_timeout, self._report_hung)
        scan = self._worker.call(lambda: self._look(changes))
        scan.addBoth(self._returned, full=changes is None)
        scan.addCallback(self._found, full=changes is None)
        scan.addErrback(self._failed)

    def _look(self, changes: Collection[str] | None) -> DeviceTree:
        """One scan, in the thread."""
        if changes is None:
            tree = self._scanner.discover()
        else:
            tree = self._scanner.follow(changes)
        if not isinstance(tree, DeviceTree):
            raise BadTree(f"discover() must return a twistdp.DeviceTree, not {kind_of(tree)}")
        return self._prepare(tree)

    def _returned(self, outcome: Any, full: bool) -> Any:
        self._scanning = False
        if full:
            now = self._reactor.seconds()
            self._rested = now + REST * (now - self._begun)
        assert self._hung is not None
        if self._hung.active():
            self._hung.cancel()
        else:
            _log.info("scanner {scanner}: the scan has returned", scanner=self._scanner_name)
        return outcome

    def _found(self, tree: DeviceTree, full: bool) -> None:
        self._notifier.notify(tree)
        if not self.running:
            return  # whoever was notified has stopped us
        if self._watch():
            # What happened there before it was watched has made no event.
            self._changes.add(None)
            self._again = True
        if full:
            self._schedule_rescan()
        self._recovered()
        if self._again:
            self._coalescer.event()

    def _failed(self, failure: Failure) -> None:
        remedy = mending(failure.value)
        if remedy is None:
            # An event after the scan's beginning brings the next one forward, as one after its end.
            delay = self._backoff.next()
            if self._again:
                delay = min(delay, SOON)
            self._report(failure, delay)
        else:
            delay = SOON
            self._outage.failed(failure)
            if self._lacking != remedy:
                self._lacking = remedy
                _log.error(
                    "scanner {scanner}: the scan failed, the devices stay as they were, it is "
                    "tried again every second: {reason}; {remedy}",
                    scanner=self._scanner_name,
                    reason=failure.getErrorMessage(),
                    remedy=remedy,
                )
        self._changes.add(None)
        self._retry = self._reactor.callLater(delay, self._begin)

    def _report(self, failure: Failure, delay: float) -> None:
        """Log what is new about a failed scan."""
        news = self._outage.failed(failure)
        if news is News.STACK:
            _log.failure(
                "scanner {scanner}: the scan failed, the devices stay as they were; next try in "
                "{delay:.1f} s",
                failure,
                scanner=self._scanner_name,
                delay=delay,
            )
        elif news is News.LINE:
            _log.error(
                "scanner {scanner}: the scan failed with {error}{at}; next try in {delay:.1f} s",
                scanner=self._scanner_name,
                error=of_error(failure.value),
                at=at(failure),
                delay=delay,
            )

    def _recovered(self) -> None:
        self._backoff.reset()
        self._lacking = None
        if count := self._outage.over():
            _log.info(
                "scanner {scanner}: the scan works again, after {count} that failed",
                scanner=self._scanner_name,
                count=count,
            )

    def _report_hung(self) -> None:
        _log.error(
            "scanner {scanner}: the scan has not returned for {seconds:g} s, the devices stay as "
            "they were; it is not called again until it returns. It is here:\n{stack}",
            scanner=self._scanner_name,
            seconds=self._scan_timeout,
            stack=self._worker.stack(),
        )

    def _schedule_rescan(self) -> None:
        interval = self._interval.read()
        if self._rescan is not None and self._rescan.active():
            self._rescan.reset(interval)
        else:
            self._rescan = self._reactor.callLater(interval, self._scan_everything)

    def _scan_everything(self) -> None:
        self._changes.add(None)
        self._scan()
