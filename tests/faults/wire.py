"""What is on its way: each thing is a step that somebody must choose.

What two ends send each other goes through `Lane`s, one a direction and connection, in which the
order is kept; between lanes there is no order.  Sockets are real ones on disk, so that names,
links and dead sockets are what they are; only what would go through them is imitated.
"""

import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred

Step = Callable[[], object]


@attrs.define(eq=False)
class Lane:
    """Steps that happen in order; `held` returns whether the first one must wait."""

    busy: dict["Lane", None]
    held: Callable[[], bool] = lambda: False
    steps: deque[tuple[str, Step]] = attrs.field(factory=deque)

    def put(self, label: str, step: Step) -> None:
        """Add a step; `label` describes it for people."""
        self.steps.append((label, step))
        self.busy[self] = None


class Wire:
    """All that is on its way."""

    def __init__(self) -> None:
        self._busy: dict[Lane, None] = {}
        self.listeners: dict[tuple[int, int], Any] = {}
        """The listeners on sockets, by the identity of the socket's file."""

    def lane(self, held: Callable[[], bool] = lambda: False) -> Lane:
        """Another direction."""
        return Lane(self._busy, held)

    def later(self, label: str) -> Deferred[None]:
        """Fires when a schedule chooses it."""
        done: Deferred[None] = Deferred()
        self.lane().put(label, lambda: None if done.called else done.callback(None))
        return done

    def ready(self) -> list[Lane]:
        """Those of which the first step may happen."""
        for lane in [lane for lane in self._busy if not lane.steps]:
            del self._busy[lane]
        return [lane for lane in self._busy if not lane.held()]

    def listener(self, path: str) -> Any:
        """Return the listener that a connection to `path` would reach now, or None."""
        try:
            found = os.stat(path)
        except OSError:
            return None
        return self.listeners.get((found.st_dev, found.st_ino))

    def listen(self, path: str, who: Any) -> Callable[[], None]:
        """Make the socket `path`; the result ends it and leaves the file."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.bind(path)
        except OSError:
            listening.close()
            raise
        listening.listen()
        found = os.stat(path)
        self.listeners[found.st_dev, found.st_ino] = who

        def close() -> None:
            listening.close()
            self.listeners.pop((found.st_dev, found.st_ino), None)

        return close
