"""File system events: the reactor reads one inotify descriptor a process.

An event is a hint that something may have changed, never the truth.  A path may be missing, be
deleted, moved or created again: then its nearest existing ancestor is watched until it appears, and
the callback gets to know that anything may have changed.  Names may have any bytes, as
`os.fsdecode` decodes them.

Every second, the next `LOOKS` watches are checked.  A watch is armed again if its path leads
elsewhere by now without an event (a file system was mounted or unmounted, a link switched).  A
watch that the kernel refuses, usually because of a limit, is polled: every second its callback gets
to know that anything may have changed, until the kernel accepts the watch.

When events are lost, or thousands of directories vanish at once, all callbacks get to know that at
once, and the watches are checked in turns of the reactor, `SLICE` in each.
"""

import os
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from twistdp.inotify.descriptor import (
    ATTRIBUTES,
    ENTRIES,
    GONE,
    OVERFLOW,
    InotifyDescriptor,
    limit,
)
from twistdp.inotify.places import Places
from twistdp.inotify.watch import Changes, Watch
from twistdp.status import Kind, events_of
from twistdp.tools import Shared, Sparing, stop_all

_log = Logger()

PERIOD: Final = 1.0
"""Seconds between two checks of watches."""

LOOKS: Final = 16
"""Watches that are checked each time, so that this takes the same time whatever their number.

Checking a hundred, which is hardly ever needed, takes as long as everything else that a process
does while nothing happens.  Few plugins have more watches than this.  Of 8 000 watches each is
checked every 500 s; until then the rescans of the scanners find the changes.
"""

SLICE: Final = 100
"""Watches that are armed again in one turn of the reactor; each takes some 30 µs."""


@implementer(IReadDescriptor)
class Inotify:
    """Watches for any number of users; opened by the first watch, closed with the last."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._events = events_of(reactor)
        self._kernel = InotifyDescriptor()
        self._places = Places(self._kernel)
        self._watches: OrderedDict[Watch, None] = OrderedDict()
        """In the order in which they are checked."""
        self._refused: dict[Callable[[Changes], None], OrderedDict[Watch, None]] = {}
        """The watches that the kernel refuses, by callback."""
        self._doubted: deque[Watch] = deque()
        """The watches that the kernel may have ended."""
        self._logged: set[str] = set()
        self._sparing = Sparing(reactor)
        self._timer: IDelayedCall | None = None
        self._turn: IDelayedCall | None = None

    def watch(
        self, path: str, callback: Callable[[Changes], None], mask: int = ENTRIES | ATTRIBUTES
    ) -> Watch:
        """Call `callback` in the reactor's thread when something of `mask` happens in `path`.

        Never fails: a path that cannot be watched is logged once, and polled.
        """
        watch = Watch(self, os.path.abspath(path), mask, callback)
        self._watches[watch] = None
        self._arm(watch)
        if self._timer is None:
            self._timer = self._reactor.callLater(PERIOD, self._look_again)
        return watch

    def forget(self, watch: Watch) -> None:
        """End a watch."""
        if watch in self._watches:
            del self._watches[watch]
            self._disarm(watch)
        if not self._watches:
            self._close()

    def look(self, some: Iterable[Watch] | None = None) -> None:
        """Arm wrong watches again, of some or all, and report that anything may have changed."""
        wrong = [w for w in (self._watches if some is None else some) if not w.is_right()]
        for watch in wrong:
            self._disarm(watch)
            self._arm(watch)
        self._report_anything(wrong)
        if self._logged and not self._refused:
            self._logged.clear()
            _log.info("inotify watches everything again")

    # IReadDescriptor

    def fileno(self) -> int:
        """Return the inotify descriptor, -1 while nothing is watched."""
        return self._kernel.fileno()

    def logPrefix(self) -> str:
        """Return the name of this descriptor in log lines of the reactor."""
        return "inotify"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor reports a broken descriptor; an inotify descriptor does not break."""
        _log.error("inotify descriptor lost: {reason}", reason=reason.getErrorMessage())

    def doRead(self) -> None:
        """Read the events, and report once to each watch that they concern."""
        concerned: dict[Watch, set[str]] = {}
        lost: dict[Watch, None] = {}
        events = list(self._kernel.read())
        self._events.counts["event", "inotify"] += len(events)
        for number, mask, name in events:
            if mask & OVERFLOW:
                often = self._sparing.count("overflow")
                if often is not None:
                    _log.warn("inotify queue overflow: scanning everything{often}", often=often)
                self._events.emit(Kind.OVERFLOWED, source="inotify")
                lost = dict.fromkeys(self._watches)
                self._doubted.clear()
            elif mask & GONE:
                lost.update(dict.fromkeys(self._places.drop(number, mask)))
            else:
                for watch in self._places.users(number):
                    if watch.awaited is not None:
                        if watch.awaited == name:
                            lost[watch] = None
                    elif mask & watch.mask:
                        paths = concerned.setdefault(watch, set())
                        paths.add(os.path.join(watch.path, name) if name else watch.path)
        self._doubted.extend(lost)
        lost.update(dict.fromkeys(self._arm_doubted()))
        for watch, changed in concerned.items():
            if watch in self._watches and watch not in lost:
                watch.report(frozenset(changed))
        self._report_anything(lost)

    # arming

    def _arm(self, watch: Watch) -> None:
        try:
            if self._kernel.open():
                self._reactor.addReader(self)
            self._places.arm(watch)
        except OSError as error:
            self._complain(watch.path, error)
            self._refused.setdefault(watch.callback, OrderedDict())[watch] = None

    def _disarm(self, watch: Watch) -> None:
        if not watch.polled:
            self._places.disarm(watch)
        elif refused := self._refused.get(watch.callback):
            refused.pop(watch, None)
            if not refused:
                del self._refused[watch.callback]

    def _arm_doubted(self) -> list[Watch]:
        """Arm some of the doubted watches again, and the others soon; return the wrong ones."""
        wrong = []
        for _ in range(min(SLICE, len(self._doubted))):
            watch = self._doubted.popleft()
            if watch in self._watches and not self._is_armed(watch):
                self._disarm(watch)
                self._arm(watch)
                wrong.append(watch)
        if self._doubted and self._turn is None:
            self._turn = self._reactor.callLater(0, self._next_doubted)
        return wrong

    def _next_doubted(self) -> None:
        self._turn = None
        self._report_anything(self._arm_doubted())

    def _is_armed(self, watch: Watch) -> bool:
        if watch.polled:
            return watch in self._refused.get(watch.callback, ())
        return self._places.holds(watch)

    def _report_anything(self, watches: Iterable[Watch]) -> None:
        """Report once to each callback of these watches that anything may have changed."""
        reported = set()
        for watch in watches:
            if watch in self._watches and watch.callback not in reported:
                reported.add(watch.callback)
                watch.report(None)

    def _complain(self, path: str, error: OSError) -> None:
        """Log why a path is polled; log a limit once for all paths."""
        remedy = limit(error)
        about = remedy or path
        if about not in self._logged:
            self._logged.add(about)
            _log.error(
                "cannot watch {path}, it is polled every second: {reason}; {remedy}",
                path=path,
                reason=error.strerror,
                remedy=remedy or "let the plugin read it",
            )

    def _look_again(self) -> None:
        self._timer = self._reactor.callLater(PERIOD, self._look_again)
        for callback in list(self._refused):
            if callback in self._refused:
                self._poll(self._refused[callback])
        due = list(islice(self._watches, LOOKS))
        for watch in due:
            self._watches.move_to_end(watch)
        self.look(watch for watch in due if not watch.polled)

    def _poll(self, refused: OrderedDict[Watch, None]) -> None:
        """Try to arm some refused watches, until the kernel refuses one; report once."""
        for watch in list(islice(refused, LOOKS)):
            self._disarm(watch)
            self._arm(watch)
            if watch.polled:
                break
        watch.report(None)

    def _close(self) -> None:
        self._doubted.clear()
        self._logged.clear()
        for timer in (self._timer, self._turn):
            if timer is not None:
                timer.cancel()
        self._timer = self._turn = None
        if self.fileno() >= 0:
            self._reactor.removeReader(self)
            stop_all("inotify", self._kernel.close)


_SHARED: Final = Shared(Inotify)


def inotify_of(reactor: Any) -> Inotify:
    """Return the one `Inotify` of a reactor: a user may have only 128 descriptors on a whole node.

    It lives as long as there is a reference to it, or to a watch of it.
    """
    return _SHARED.of(reactor)
