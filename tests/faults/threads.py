"""A scanner's thread, without a thread."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tests.faults.wire import Wire


class ScanThread:
    """What stands in for `twistdp.worker.Worker`.

    A call looks at things when somebody chooses so and returns later still, and neither while
    `hanging` is true.
    """

    def __init__(self, wire: Wire, hanging: Callable[[], bool]) -> None:
        self._lane = wire.lane(hanging)
        self._stopped = False

    def call(self, function: Callable[[], Any]) -> Deferred[Any]:
        """Fires with what comes of it."""
        done: Deferred[Any] = Deferred()

        def look() -> None:
            try:
                outcome = function()
            except Exception:
                outcome = Failure()
            self._lane.put(
                "scan returns", lambda: None if self._stopped else done.callback(outcome)
            )

        self._lane.put("scan", look)
        return done

    def stack(self) -> str:
        """Nowhere."""
        return ""

    def stop(self) -> None:
        """The outcome of what is under way is dropped."""
        self._stopped = True
