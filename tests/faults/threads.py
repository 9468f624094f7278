"""A scanner's thread, without a thread."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tests.faults.wire import Wire


class ScanThread:
    """What stands in for `twistdp.tools.worker.Worker`.

    A call looks at things when somebody chooses so and returns later still, and neither while
    `hanging` is true.
    """

    def __init__(self, wire: Wire, hanging: Callable[[], bool]) -> None:
        self._lane = wire.lane(hanging)
        self._life = 0

    def call(self, function: Callable[[], Any]) -> Deferred[Any]:
        """Fires with the outcome."""
        done: Deferred[Any] = Deferred()

        life = self._life

        def look() -> None:
            if life != self._life:
                return
            try:
                outcome = function()
            except Exception:
                outcome = Failure()
            self._lane.put(
                "scan returns", lambda: done.callback(outcome) if life == self._life else None
            )

        self._lane.put("scan", look)
        return done

    def stack(self) -> str:
        """Nowhere."""
        return ""

    def stop(self) -> None:
        """The outcome of what is under way is dropped, and what waits is not begun."""
        self._life += 1
