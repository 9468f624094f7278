"""Tests for `twistdp.kubelet.register_by_socket`: an attempt before it calls the kubelet."""

import socket
from collections.abc import Callable

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.kubelet.test_registrar import RESOURCE, FakeServer
from tests.support.helpers import temporary_directory
from twistdp.errors import (
    CallFailed,
    CallTimedOut,
    KubeletAbsent,
    RegistrationRefused,
    StillServed,
)
from twistdp.kubelet import connection
from twistdp.kubelet.api import REGISTER
from twistdp.kubelet.connection import Connections
from twistdp.kubelet.messages import DevicePluginOptions, Empty, RegisterRequest
from twistdp.kubelet.register_by_socket import SocketRegistration
from twistdp.kubelet.strategy import Registrant
from twistdp.rpc import Channel
from twistdp.rpc.calls import Method
from twistdp.rpc.server import Server


def registrant_of(server: FakeServer, end_streams: Callable[[], Deferred[None]]) -> Registrant:
    """A resource with that server."""
    return Registrant(server, end_streams, lambda: None, lambda: False)  # type: ignore[arg-type]


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
        self, kubelet: str, end_streams: Callable[[], Deferred[None]]
    ) -> tuple[Deferred[None], FakeServer]:
        """Begin an attempt, whose server does not listen yet."""
        registration = SocketRegistration(
            Connections(kubelet), RESOURCE, DevicePluginOptions, Clock()
        )
        server = FakeServer()
        registration.attach(registrant_of(server, end_streams))
        return Deferred.fromCoroutine(registration.register()), server


class Call(Deferred[Empty]):
    """A call that is not answered yet, over a channel of its own or a shared one."""

    def __init__(self, channel: object) -> None:
        super().__init__()
        self.channel = channel


class SharingTests(SynchronousTestCase):
    """With whom a resource shares a connection."""

    def setUp(self) -> None:
        """A kubelet that answers when a test does."""
        calls: list[Call] = []

        class FakeChannel:
            def __init__(self, path: str, *, reactor: object) -> None:
                pass

            def unary(self, *_: object) -> Call:
                calls.append(Call(self))
                return calls[-1]

            def close(self) -> Deferred[None]:
                return succeed(None)

        self.patch(connection, "Channel", FakeChannel)
        self.calls = calls
        path = f"{temporary_directory(self)}/kubelet.sock"
        kubelet = socket.socket(socket.AF_UNIX)
        self.addCleanup(kubelet.close)
        kubelet.bind(path)
        kubelet.listen()
        self.connections = Connections(path)

    def resource(self) -> SocketRegistration:
        """A resource that does nothing yet."""
        found = SocketRegistration(self.connections, RESOURCE, DevicePluginOptions, Clock())
        found.attach(registrant_of(FakeServer(), lambda: succeed(None)))
        return found

    def register(self, resource: SocketRegistration) -> tuple[Deferred[None], Call]:
        """The resource begins an attempt, and has called the kubelet."""
        attempt = Deferred.fromCoroutine(resource.register())
        server = resource._registrant.server
        assert isinstance(server, FakeServer)
        server.listens[-1].callback(None)
        return attempt, self.calls[-1]

    def test_no_answer(self) -> None:
        """A resource that got no answer shares no connection until it is registered.

        A server that answers one call at a time lets the others wait for one that it never answers.
        """
        hangs, healthy = self.resource(), self.resource()
        attempt, call = self.register(hangs)
        other, shared = self.register(healthy)
        self.assertIs(call.channel, shared.channel)
        call.errback(CallTimedOut("DEADLINE_EXCEEDED", "no answer within 5 s"))
        self.failureResultOf(attempt, RegistrationRefused)
        shared.callback(Empty())
        self.successResultOf(other)

        other, shared = self.register(healthy)
        attempt, alone = self.register(hangs)
        self.assertIsNot(alone.channel, shared.channel)
        third, shared_too = self.register(self.resource())
        self.assertIs(shared_too.channel, shared.channel)

        alone.callback(Empty())
        self.successResultOf(attempt)
        attempt, call = self.register(hangs)
        self.assertIs(call.channel, shared.channel)
        for each in (call, shared, shared_too):
            each.callback(Empty())
        for ended in (attempt, other, third):
            self.successResultOf(ended)


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
        channel = Channel(path, reactor=reactor)
        registration = SocketRegistration(Connections(path), RESOURCE, DevicePluginOptions, reactor)
        registration.attach(registrant_of(FakeServer(), lambda: succeed(None)))
        try:
            await registration.call(channel)
        finally:
            await channel.close()
            await server.stopService()
