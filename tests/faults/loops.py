"""A reactor and an asyncio loop that act only when a schedule says so."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

from twisted.internet.task import Clock

from twistdp import manager
from twistdp.inotify.watches import Inotify
from twistdp.rpc import bridge
from twistdp.scan import notifier

EPOCH = 1.8e9
"""When every schedule begins."""


class Loop(asyncio.SelectorEventLoop):
    """Runs what is ready; its time is the clock's, without its steps."""

    def __init__(self, clock: "Reactor") -> None:
        super().__init__()
        self.clock = clock

    def time(self) -> float:
        """The monotonic clock."""
        return self.clock.rightNow

    def settle(self) -> None:
        """Run until nothing is ready."""
        while self._ready or ((due := self.next_timer()) is not None and due <= self.time()):  # type: ignore[attr-defined]
            self.call_soon(self.stop)
            self.run_forever()

    def next_timer(self) -> float | None:
        """When the next of its timers is due."""
        whens = [t.when() for t in self._scheduled if not t.cancelled()]  # type: ignore[attr-defined]
        return min(whens, default=None)


class Reactor(Clock):
    """The reactor of the code under test; like Twisted's, it follows the wall clock."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = Loop(self)
        self.stepped = 0.0
        """Seconds by which the wall clock has been set forward."""

    def wall(self) -> float:
        """The wall clock."""
        return EPOCH + self.rightNow + self.stepped

    def seconds(self) -> float:
        """The same, until a test replaces it."""
        return self.wall()

    def addReader(self, reader: object) -> None:
        """Reads only when a schedule says so."""

    def removeReader(self, reader: object) -> None:
        """Nor is anything taken away."""


@contextmanager
def imitated() -> Iterator[Inotify]:
    """For the block, gRPC and the reactor are the imitations; yields the one inotify reader."""

    def loop_of(reactor: Reactor) -> Loop:
        return reactor.loop

    inotify = Inotify(Reactor())
    base = tempfile.mkdtemp(prefix="tdpf-")
    inotify.watch(base, lambda changes: None)  # keeps it open from schedule to schedule
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, base)
        for where, name, what in (
            (bridge, "loop_of", loop_of),
            (manager, "inotify_of", lambda reactor: inotify),
            (notifier, "isInIOThread", lambda: True),
        ):
            stack.enter_context(mock.patch.object(where, name, what))
        yield inotify
        inotify._close()
