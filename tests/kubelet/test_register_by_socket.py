"""Tests for `twistdp.kubelet.register_by_socket`: an attempt before it calls the kubelet."""

import socket
from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.kubelet.test_registrar import RESOURCE, FakeServer
from tests.support.helpers import temporary_directory
from twistdp.errors import KubeletAbsent
from twistdp.kubelet.messages import DevicePluginOptions
from twistdp.kubelet.register_by_socket import SocketRegistration
from twistdp.kubelet.strategy import Registrant


class SocketRegistrationTests(SynchronousTestCase):
    """What an attempt does before it calls the kubelet."""

    def test_streams_stay_without_a_kubelet(self) -> None:
        """Without a kubelet to register with, no stream is ended that one may still have."""
        ended: list[bool] = []

        def end_streams() -> Deferred[None]:
            ended.append(True)
            return succeed(None)

        attempt, server = self.begin(f"{temporary_directory(self)}/kubelet.sock", end_streams)
        self.assertNoResult(attempt)
        server.listens[0].callback(None)
        self.failureResultOf(attempt, KubeletAbsent)
        self.assertEqual(ended, [])

    def test_missing_directory(self) -> None:
        """The kubelet makes the plugin directory: without it there is no kubelet."""
        attempt, server = self.begin("/nonexistent/kubelet.sock", lambda: succeed(None))
        server.listens[0].errback(FileNotFoundError(2, "No such file or directory"))
        failure = self.failureResultOf(attempt, KubeletAbsent)
        self.assertIn("waiting for /nonexistent to appear", failure.getErrorMessage())

    def begin(
        self,
        kubelet: str,
        end_streams: Callable[[], Deferred[None]],
        turns: DeferredSemaphore | None = None,
    ) -> tuple[Deferred[None], FakeServer]:
        """Begin an attempt, whose server does not listen yet."""
        turns = turns or DeferredSemaphore(1)
        registration = SocketRegistration(kubelet, RESOURCE, DevicePluginOptions, turns, Clock())
        server = FakeServer()
        registrant = Registrant(server, end_streams, lambda: None, lambda: False)  # type: ignore[arg-type]
        registration.attach(registrant)
        return Deferred.fromCoroutine(registration.register()), server

    def test_turns(self) -> None:
        """A limited number end their streams and call at once; a dropped turn is free."""
        path = f"{temporary_directory(self)}/kubelet.sock"
        with socket.socket(socket.AF_UNIX) as kubelet:
            kubelet.bind(path)
            kubelet.listen()
            called: list[Deferred[None]] = []

            def end_streams() -> Deferred[None]:
                called.append(Deferred())
                return called[-1]

            turns = DeferredSemaphore(2)
            attempts = []
            for _ in range(4):
                attempt, server = self.begin(path, end_streams, turns)
                server.listens[0].callback(None)
                attempts.append(attempt)
            self.assertEqual(len(called), 2)
            attempts[2].cancel()  # one that waits
            self.failureResultOf(attempts[2], CancelledError)
            self.assertEqual(len(called), 2)
            attempts[0].cancel()  # one that has its turn
            self.failureResultOf(attempts[0], CancelledError)
            self.assertEqual(len(called), 3)
            for attempt in (attempts[1], attempts[3]):
                attempt.cancel()
                self.failureResultOf(attempt, CancelledError)
            self.assertEqual(turns.tokens, 2)
