"""How much a peer can make a server hold, over real sockets."""

import contextlib
import os
import socket
import weakref
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

from google.protobuf.wrappers_pb2 import StringValue
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from tests.support.helpers import failure_of, fire, soon, temporary_directory, until
from tests.support.servers import channel_to, server_of
from twistdp.errors import CallFailed, NoRoom, PeerUnavailable
from twistdp.rpc import bridge, limits
from twistdp.rpc import server as server_module
from twistdp.rpc.calls import Calls, Method
from twistdp.tools import sparing

ASK = "/test.Service/Ask"
WATCH = "/test.Service/Watch"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""How HTTP/2 begins: the client's magic and empty SETTINGS."""

NOTHING_READ = PREFACE[:24] + bytes([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0])
"""The same, with room for no byte of an answer (SETTINGS_INITIAL_WINDOW_SIZE)."""


def call(stream: int, path: str, message: bytes) -> bytes:
    """A call as frames of HTTP/2, its headers as literals."""
    headers = bytes([0x83, 0x86])  # POST, http
    for name, value in (
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ):
        headers += b"\0" + b"".join(bytes([len(text)]) + text.encode() for text in (name, value))
    return b"".join(
        len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body
        for kind, flags, body in (
            (1, 4, headers),
            (0, 1, b"\0" + len(message).to_bytes(4, "big") + message),
        )
    )


class Silent(Protocol):
    """A peer that sends only what the test gives it."""

    transport: Any

    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()

    def connectionLost(self, reason: Any = None) -> None:
        """The server has closed the connection."""
        self.ended.callback(None)


class LimitCase(TestCase):
    """A server with a call that is answered at once, and an open stream."""

    async def serve(self, **changes: int) -> None:
        """Serve, with the limits that are given."""
        changed = {f"grpc.{key}": value for key, value in changes.items()}
        self.assertLessEqual(changed.keys(), dict(limits.OPTIONS).keys())
        options = {**dict(limits.OPTIONS), **changed}
        self.patch(server_module, "OPTIONS", tuple(options.items()))
        self.path = f"{temporary_directory(self)}/a.sock"
        self.begun = 0
        self.release: Deferred[None] = Deferred()
        self.addCleanup(fire, self.release, None)
        methods = Method(ASK, StringValue, self.ask), Method(WATCH, None, self.watch, True)
        await soon(server_of(self, self.path, *methods).listen())
        self.channel = channel_to(self, self.path)
        self.stream = self.channel.stream(WATCH, b"", StringValue)
        self.assertEqual(await soon(self.stream.read()), StringValue(value="first"))

    def ask(self, request: StringValue) -> Any:
        """Answer, refuse or wait, as the request says."""
        if request.value == "refuse":
            raise NoRoom("no")
        if request.value == "wait":
            self.begun += 1
            waiting: Deferred[StringValue] = Deferred()
            self.release.addCallback(lambda _: fire(waiting, StringValue(value=request.value)))
            return waiting
        if request.value == "long":
            self.begun += 1
            return StringValue(value="x" * (limits.LONG + 1))
        return StringValue(value=request.value[:9])

    async def watch(self, _: bytes) -> AsyncIterator[StringValue]:
        """Send a list, and another one at the end."""
        yield StringValue(value="first")
        ended: Deferred[None] = Deferred()
        self.release.addCallback(lambda _: fire(ended, None))
        await ended
        yield StringValue(value="last")

    def call(self, value: str = "") -> Deferred[StringValue]:
        """Make a call on the connection of the stream."""
        return self.channel.unary(ASK, StringValue(value=value), StringValue)

    async def assert_unharmed(self) -> None:
        """The stream that was open all the time goes on, and so do other calls."""
        self.assertEqual((await soon(self.call("a"))).value, "a")
        self.release.callback(None)
        self.assertEqual(await soon(self.stream.read()), StringValue(value="last"))

    async def silent(self, data: bytes = b"") -> Silent:
        """A connection that sends these bytes."""
        peer = Silent()
        await soon(connectProtocol(UNIXClientEndpoint(reactor, self.path), peer))
        self.addCleanup(lambda: peer.transport and peer.transport.abortConnection())
        peer.transport.write(data)
        return peer


class LimitTests(LimitCase):
    """`twistdp.rpc.limits`, and other calls during a flood."""

    async def test_calls(self) -> None:
        """A connection has a limited number of calls at once; the others wait."""
        await self.serve()
        calls = [self.call("wait") for _ in range(limits.MOST_CALLS + 50)]
        room = limits.MOST_CALLS - 1  # beside the stream
        await until(lambda: self.begun >= room)
        self.assertEqual(
            (
                await soon(
                    channel_to(self, self.path).unary(ASK, StringValue(value="b"), StringValue)
                )
            ).value,
            "b",
        )
        self.assertEqual(self.begun, room)
        self.release.callback(None)
        await soon(DeferredList(calls[:room], fireOnOneErrback=True))
        # Of those that begin while others end, gRPC may refuse some, as not begun at all.
        await soon(DeferredList(calls[room:], consumeErrors=True))

    async def test_headers(self) -> None:
        """A call with more headers than any kubelet sends is refused."""
        await self.serve()
        greedy = channel_to(self, self.path, agent="x" * (limits.HEADERS + 1))
        await failure_of(soon(greedy.unary(ASK, StringValue(), StringValue)), CallFailed)
        await self.assert_unharmed()

    async def test_usual_headers(self) -> None:
        """A call with a quarter of those bytes is answered."""
        await self.serve()
        channel = channel_to(self, self.path, agent="x" * (limits.HEADERS // 4))
        await soon(channel.unary(ASK, StringValue(), StringValue))

    async def test_connections(self) -> None:
        """A socket takes a limited number of connections; others are closed at once."""
        await self.serve()
        before = len(os.listdir("/proc/self/fd"))
        peers = []
        for _ in range(2 * limits.MOST_CONNECTIONS):
            peers.append(peer := socket.socket(socket.AF_UNIX))
            self.addCleanup(peer.close)
            peer.setblocking(False)
            peer.connect(self.path)
        ours = len(peers)

        def held() -> int:
            return len(os.listdir("/proc/self/fd")) - before - ours

        await until(lambda: sum(_is_closed(peer) for peer in peers) > limits.MOST_CONNECTIONS)
        self.assertLess(held(), limits.MOST_CONNECTIONS)
        await failure_of(
            soon(channel_to(self, self.path).unary(ASK, StringValue(), StringValue)),
            PeerUnavailable,
        )
        await self.assert_unharmed()

    async def test_silent_before_it_begins(self) -> None:
        """A connection that sends nothing, or only a part of its preface, is closed."""
        await self.serve(server_handshake_timeout_ms=100)
        for data in (b"", PREFACE[:10]):
            await soon((await self.silent(data)).ended)
        await self.assert_unharmed()

    async def test_idle(self) -> None:
        """A connection without a call is closed; one with a stream is not, however quiet."""
        await self.serve(max_connection_idle_ms=100)
        await soon((await self.silent(PREFACE)).ended)
        await self.assert_unharmed()

    async def test_unread_answers(self) -> None:
        """Long answers that nobody reads are limited; other calls are answered all the same."""
        self.patch(limits, "MOST_UNREAD", 4 * limits.LONG)
        await self.serve()
        asked = StringValue(value="long").SerializeToString()
        peer = await self.silent(NOTHING_READ)
        for number in range(5):
            peer.transport.write(call(2 * number + 1, ASK, asked))
        await until(lambda: self.begun == 5)
        for value in ("long", "a" * limits.LONG):  # the request or its answer is long
            error = await failure_of(soon(self.call(value)), CallFailed)
            self.assertEqual(error.status, "RESOURCE_EXHAUSTED")
        self.assertEqual((await soon(self.call("a"))).value, "a")
        peer.transport.abortConnection()
        await self.eventually("long")
        await self.assert_unharmed()

    async def test_waiting_requests(self) -> None:
        """Long requests that wait for an answer are limited likewise."""
        self.patch(limits, "MOST_UNREAD", 4 * limits.LONG)
        await self.serve()
        # An unknown field, of 16 385 bytes.
        padding = b"\x7a\x81\x80\x01" + bytes(limits.LONG + 1)
        request = StringValue(value="wait").SerializeToString() + padding
        calls = [self.channel.unary(ASK, request, StringValue) for _ in range(4)]
        await until(lambda: self.begun == 4)
        error = await failure_of(soon(self.call("a" * limits.LONG)), CallFailed)
        self.assertEqual(error.status, "RESOURCE_EXHAUSTED")
        await self.assert_unharmed()
        await soon(DeferredList(calls, fireOnOneErrback=True))
        await self.eventually("a" * limits.LONG)

    async def test_refused_request(self) -> None:
        """A message takes many times its bytes, and is not kept until its refusal is sent."""

        class Request:
            @classmethod
            def FromString(cls, data: bytes) -> "Request":  # protobuf's name
                messages.add(request := cls())
                return request

        messages: weakref.WeakSet[Request] = weakref.WeakSet()

        def refuse(request: Request) -> None:
            self.assertEqual(list(messages), [request])
            raise NoRoom("no")

        class Context:
            async def abort(self, code: object, text: str) -> None:
                ended: Deferred[None] = Deferred()
                _reactor.callLater(0, ended.callback, None)
                await bridge.awaited(ended)
                kept.extend(messages)

        _reactor: Any = reactor
        kept: list[Request] = []
        method = Method(ASK, cast(Any, Request), refuse)
        calls = Calls([method], reactor, lambda _: None)
        handler: Any = calls.service(cast(Any, SimpleNamespace(method=ASK)))
        answering = handler.unary_unary(b"", Context())
        await failure_of(bridge.deferred_from(answering, bridge.loop_of(reactor)), AssertionError)
        self.assertEqual(kept, [])

    async def eventually(self, value: str) -> None:
        """Call until the server answers."""
        for _ in range(1000):
            with contextlib.suppress(CallFailed):
                await soon(self.call(value))
                return
        self.fail("never answered")

    async def test_refusals(self) -> None:
        """A thousand refused calls are a handful of log lines, and the last one counts them."""
        self.patch(sparing, "WITHIN", 3600.0)  # this machine may be busy
        await self.serve()
        with capturedLogs() as events:
            for _ in range(10):
                calls = [self.call("refuse") for _ in range(100)]
                await soon(DeferredList(calls, consumeErrors=True))
        lines = [event["often"] for event in events if "often" in event]
        self.assertEqual(len(lines), 8)
        self.assertIn("1000th", lines[-1])
        await self.assert_unharmed()


def _is_closed(peer: socket.socket) -> bool:
    try:
        while peer.recv(1000):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
