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
    """Steps that happen in their order; `held` says whether the first one cannot happen yet."""

    busy: dict["Lane", None]
    held: Callable[[], bool] = lambda: False
    steps: deque[tuple[str, Step]] = attrs.field(factory=deque)

    def put(self, label: str, step: Step) -> None:
        """Another one is on its way; `label` says what, for people."""
        self.steps.append((label, step))
        self.busy[self] = None


class Wire:
    """All that is on its way."""

    def __init__(self) -> None:
        self._busy: dict[Lane, None] = {}
        self.listeners: dict[tuple[int, int], Any] = {}
        """Who listens on a socket, by the identity of its file."""

    def lane(self, held: Callable[[], bool] = lambda: False) -> Lane:
        """Another direction."""
        return Lane(self._busy, held)

    def later(self, label: str) -> Deferred[None]:
        """Fires when somebody chooses so."""
        done: Deferred[None] = Deferred()
        self.lane().put(label, lambda: None if done.called else done.callback(None))
        return done

    def ready(self) -> list[Lane]:
        """Those of which the first step may happen."""
        for lane in [lane for lane in self._busy if not lane.steps]:
            del self._busy[lane]
        return [lane for lane in self._busy if not lane.held()]

    def listener(self, path: str) -> Any:
        """Who would be reached by connecting to `path` now, or None."""
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
