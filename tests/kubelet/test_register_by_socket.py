"""Tests for `twistdp.kubelet.register_by_socket`: an attempt before it calls the kubelet."""

import socket
from collections.abc import Callable

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.kubelet.test_registrar import RESOURCE, FakeServer
from tests.support.helpers import temporary_directory
from twistdp.errors import CallFailed, KubeletAbsent, RegistrationRefused, StillServed
from twistdp.kubelet.api import REGISTER
from twistdp.kubelet.messages import DevicePluginOptions, Empty, RegisterRequest
from twistdp.kubelet.register_by_socket import SocketRegistration, register
from twistdp.kubelet.strategy import Registrant
from twistdp.rpc.calls import Method
from twistdp.rpc.server import Server
from twistdp.tools.turns import Turns


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

    def test_still_served(self) -> None:
        """A plugin stands by for another server only where it can call the kubelet."""
        path = f"{temporary_directory(self)}/kubelet.sock"
        for wanted in (KubeletAbsent, StillServed):
            attempt, server = self.begin(path, lambda: succeed(None))
            server.listens[0].errback(StillServed("/p/x.sock", 7, "process 7 serves it"))
            self.failureResultOf(attempt, wanted)
            if wanted is KubeletAbsent:
                kubelet = socket.socket(socket.AF_UNIX)
                self.addCleanup(kubelet.close)
                kubelet.bind(path)
                kubelet.listen()

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

    def test_hundreds_at_once(self) -> None:
        """Hundreds that wait for their turn may all fail at once: the stack has room for them."""
        turns = Turns(1)
        attempts, servers = [], []
        for _ in range(1000):
            attempt, server = self.begin("/nonexistent/kubelet.sock", lambda: succeed(None), turns)
            attempts.append(attempt)
            servers.append(server)
        self.successResultOf(turns.acquire())
        for server in servers:
            server.listens[0].callback(None)
        turns.release()
        for attempt in attempts:
            self.failureResultOf(attempt, KubeletAbsent)
        self.assertEqual(turns.tokens, 1)


class StoppingKubeletTests(TestCase):
    """A kubelet that stops while it is being called."""

    async def test_absent(self) -> None:
        """A kubelet that dropped a call is absent, and has refused nothing."""
        for status in ("CANCELLED", "UNAVAILABLE"):
            with self.assertRaises(KubeletAbsent):
                await self.registered(CallFailed(status, ""))
        with self.assertRaises(RegistrationRefused):
            await self.registered(CallFailed("UNKNOWN", "no"))

    async def registered(self, error: CallFailed) -> None:
        """Register at a kubelet whose answer is `error`."""
        path = f"{temporary_directory(self)}/kubelet.sock"

        def answer(_: RegisterRequest) -> Empty:
            raise error

        server = Server(path, [Method(REGISTER, RegisterRequest, answer)], reactor=reactor)
        await server.listen()
        try:
            await register(path, RESOURCE, "x.sock", DevicePluginOptions(), reactor=reactor)
        finally:
            await server.stopService()
