"""Watches the paths of one scanner, setting and ending watches some at a time.

To watch a path takes some 30 µs.  A scanner may name tens of thousands of paths, and for as long as
the reactor sets their watches it does nothing else.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import IDelayedCall

from twistdp.inotify import ATTRIBUTES, CONTENTS, ENTRIES, Changes, Inotify, Watch
from twistdp.model import name_of
from twistdp.scan.attributes import Attribute, check_contents, check_paths, check_uevents
from twistdp.scan.scanner import WatchingScanner
from twistdp.tools import stop_all

if TYPE_CHECKING:
    from twistdp.uevents import Interest

SLICE: Final = 100
"""Paths whose watches are set or ended in one turn of the reactor."""

ENOUGH: Final = 0.05
"""Seconds after which a turn ends before its slice does: a path may have a thousand parts."""


class WatchSet:
    """Watches the paths and subsystems of `scanner`, and calls `event` with what changes there.

    Where that takes more than one turn of the reactor, `completed` is called in the last one, if
    paths were added: what happened there before they were watched has made no event.
    """

    def __init__(
        self,
        scanner: WatchingScanner,
        event: Callable[[Changes], None],
        completed: Callable[[], None],
        *,
        inotify: Inotify,
        reactor: Any,
    ) -> None:
        self._name = name = name_of(scanner)
        nothing: tuple[str, ...] = ()
        self._scanners_paths = Attribute(scanner, "paths", check_paths, nothing, name)
        self._contents = Attribute(scanner, "contents", check_contents, True, name)
        self._scanners_uevents = Attribute(scanner, "uevents", check_uevents, nothing, name)
        self._event = event
        self._completed = completed
        self._inotify = inotify
        self._reactor = reactor
        self._watches: dict[str, Watch] = {}
        self._paths: tuple[str, ...] = ()
        self._wanted: dict[str, None] = {}
        self._mask = 0
        self._interest: Interest | None = None
        self._due: deque[str] = deque()
        """Paths whose watch is not yet right."""
        self._has_added = False
        self._turn: IDelayedCall | None = None

    @property
    def polled(self) -> bool:
        """Whether the kernel refuses to watch some of the paths."""
        return any(watch.polled for watch in self._watches.values())

    def follow(self) -> bool:
        """Watch the scanner's paths and subsystems as they are now.

        Returns whether all of them are watched already and some were not before.
        """
        has_more = self._follow_uevents()
        return self._follow_paths() or has_more

    def _follow_uevents(self) -> bool:
        """Follow the subsystems; return whether some were not followed before."""
        wanted = frozenset(self._scanners_uevents.read())
        before = self._interest.subsystems if self._interest is not None else frozenset()
        if wanted == before:
            return False
        old, self._interest = self._interest, None
        if wanted:
            # Imported here because most scanners follow no subsystem.
            from twistdp.uevents import uevents_of

            self._interest = uevents_of(self._reactor).follow(wanted, self._event)
        if old is not None:
            old.stop()
        return not wanted <= before

    def _follow_paths(self) -> bool:
        paths = self._scanners_paths.read()
        mask = ENTRIES | ATTRIBUTES | (CONTENTS if self._contents.read() else 0)
        if self._paths == paths and self._mask == mask:
            return False
        self._paths, self._mask = paths, mask
        self._wanted = dict.fromkeys(paths)
        self._due = deque(path for path in self._watches | self._wanted if not self._is_done(path))
        return self._go_on()

    def stop(self) -> None:
        """End all watches."""
        if self._interest is not None:
            self._interest.stop()
            self._interest = None
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._due.clear()
        self._paths, self._wanted, self._mask = (), {}, 0
        self._has_added = False
        watches, self._watches = self._watches, {}
        stop_all(f"scanner {self._name}", *(watch.stop for watch in watches.values()))

    def _is_done(self, path: str) -> bool:
        watch = self._watches.get(path)
        return watch is not None and watch.mask == self._mask and path in self._wanted

    def _go_on(self) -> bool:
        """Do what is due for some paths; return whether that was all and paths were added."""
        end = self._reactor.seconds() + ENOUGH
        for _ in range(min(SLICE, len(self._due))):
            self._do(self._due.popleft())
            if self._reactor.seconds() >= end:
                break
        if self._due:
            if self._turn is None:
                self._turn = self._reactor.callLater(0, self._next)
            return False
        has_added, self._has_added = self._has_added, False
        return has_added

    def _next(self) -> None:
        self._turn = None
        if self._go_on():
            self._completed()

    def _do(self, path: str) -> None:
        if path in self._watches:
            self._watches.pop(path).stop()
        if path in self._wanted:
            self._watches[path] = self._inotify.watch(path, self._event, self._mask)
            self._has_added = True
