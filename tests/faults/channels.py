"""A plugin's call to a kubelet, without a network."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from twisted.internet.defer import Deferred

from tests.faults.wire import Wire
from twistdp.errors import CallTimedOut, PeerUnavailable


class KubeletChannel:
    """Replaces `twistdp.rpc.Channel` where a plugin calls a kubelet."""

    def __init__(self, wire: Wire, path: str, clock: Any) -> None:
        self._wire = wire
        self._path = path
        self._clock = clock
        self._hang_up: Callable[[], None] = lambda: None

    def unary(
        self, method: str, request: Message, answer: type[Message], timeout: float
    ) -> Deferred[Any]:
        """Connect and call; the listener gets ``registers(request, answer, refuse)``."""
        up, down = self._wire.lane(), self._wire.lane()

        def cancelled(_: object) -> None:
            up.put("Register cancel", self._hang_up_now)

        done: Deferred[Any] = Deferred(cancelled)

        def fail(error: Exception) -> None:
            down.put("Register refusal", lambda: None if done.called else done.errback(error))

        def succeed_() -> None:
            down.put("Register answer", lambda: None if done.called else done.callback(answer()))

        def connect() -> None:
            if done.called:
                return
            kubelet = self._wire.listener(self._path)
            if kubelet is None:
                fail(PeerUnavailable("UNAVAILABLE", "connection refused"))
            else:
                up.steps.appendleft(("Register request", lambda: ask(kubelet)))

        def ask(kubelet: Any) -> None:
            self._hang_up = kubelet.registers(request, succeed_, fail)

        def too_late() -> None:
            if not done.called:
                up.put("Register cancel", self._hang_up_now)
                done.errback(CallTimedOut("DEADLINE_EXCEEDED", "Deadline Exceeded"))

        up.put("Register connect", connect)
        timer = self._clock.callLater(timeout, too_late)

        def over(outcome: Any) -> Any:
            if timer.active():
                timer.cancel()
            return outcome

        return done.addBoth(over)

    def close(self) -> Deferred[None]:
        """Fires some time."""
        return self._wire.later("channel closes")

    def _hang_up_now(self) -> None:
        self._hang_up()
