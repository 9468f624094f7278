"""Tests for `twistdp.rpc.channel` and `twistdp.rpc.stream`: what a client meets at the socket."""

import os
import socket
from collections.abc import AsyncIterator

from google.protobuf.wrappers_pb2 import BytesValue, StringValue
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from tests.support.helpers import failure_of, quickly, soon, temporary_directory
from tests.support.servers import channel_to, served, server_of
from twistdp.errors import BadSetting, CallFailed, MalformedMessage, PeerUnavailable
from twistdp.rpc.address import Peer
from twistdp.rpc.caller import LONGEST, caller
from twistdp.rpc.calls import Method
from twistdp.rpc.channel import Channel

ASK = "/test.Service/Ask"
WATCH = "/test.Service/Watch"


class ChannelTests(TestCase):
    """Tests for `Channel`."""

    def setUp(self) -> None:
        """Choose the socket's path."""
        self.path = f"{temporary_directory(self)}/a.sock"

    def ask(self, channel: Channel) -> Deferred[StringValue]:
        """Call the method."""
        return soon(channel.unary(ASK, StringValue(value="you"), StringValue))

    async def refused(self) -> None:
        """Call it where nobody answers."""
        await failure_of(self.ask(channel_to(self, self.path)), PeerUnavailable)

    def test_another_reactor(self) -> None:
        """A reactor without an asyncio loop is refused at once."""
        self.assertRaises(BadSetting, Channel, self.path, reactor=Clock())

    async def test_nobody_listens(self) -> None:
        """A missing socket is PeerUnavailable, fast."""
        error = await failure_of(self.ask(channel_to(self, self.path)), PeerUnavailable)
        self.assertEqual(error.status, "UNAVAILABLE")
        await quickly(self.refused, 0.9)

    async def test_nobody_listens_to_a_stream(self) -> None:
        """A stream's first read fails in the same way."""
        stream = channel_to(self, self.path).stream(ASK, b"", StringValue)
        await failure_of(soon(stream.read()), PeerUnavailable)

    async def test_dead_socket(self) -> None:
        """A socket whose process has died is PeerUnavailable, fast."""
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(self.path)
            dead.listen()
        await quickly(self.refused, 0.9)

    async def test_another_channel_works_at_once_after_a_refused_one(self) -> None:
        """A refused attempt does not delay the next channel to the path by gRPC's back-off."""

        async def refused_and_answered() -> None:
            await self.refused()
            server = server_of(self, self.path, Method(ASK, StringValue, succeed))
            await soon(server.listen())
            self.assertEqual((await self.ask(channel_to(self, self.path))).value, "you")
            await soon(server.stopService())

        await quickly(refused_and_answered, 0.7)

    async def test_answer_that_does_not_parse(self) -> None:
        """An answer that is no message is MalformedMessage, naming method and message."""
        channel = await served(self, Method(ASK, None, lambda _: b"\xff\xff\xff"))
        error = await failure_of(self.ask(channel), MalformedMessage)
        self.assertIn(ASK, str(error))
        self.assertIn("google.protobuf.StringValue", str(error))

    async def test_answer_that_is_too_large(self) -> None:
        """An answer over max_receive fails as RESOURCE_EXHAUSTED; one below does not."""
        channel = await served(
            self,
            Method(ASK, StringValue, lambda request: BytesValue(value=bytes(int(request.value)))),
            max_receive=1000,
        )
        small = soon(channel.unary(ASK, StringValue(value="900"), BytesValue))
        self.assertEqual(len((await small).value), 900)
        large = soon(channel.unary(ASK, StringValue(value="1100"), BytesValue))
        error = await failure_of(large, CallFailed)
        self.assertEqual(error.status, "RESOURCE_EXHAUSTED")

    async def test_max_receive_may_be_raised(self) -> None:
        """An answer over gRPC's own 4 MiB passes when max_receive allows it."""
        size = 5 * 1024 * 1024
        channel = await served(
            self,
            Method(ASK, None, lambda _: BytesValue(value=bytes(size))),
            max_receive=2 * size,
        )
        answer = await soon(channel.unary(ASK, b"", BytesValue))
        self.assertEqual(len(answer.value), size)

    async def test_close_without_a_call(self) -> None:
        """A channel that was never used closes at once, and may be closed again."""
        channel = Channel(self.path, reactor=reactor)
        self.successResultOf(channel.close())
        self.successResultOf(channel.close())

    async def test_cancelled_close(self) -> None:
        """A close that is cancelled at once closes all the same: it may hold a descriptor."""
        closed: Deferred[None] = Deferred()
        self.patch(Peer, "close", lambda _: closed.callback(None))
        channel = Channel(self.path, reactor=reactor)
        await failure_of(self.ask(channel), PeerUnavailable)  # it is open from now on
        closing = channel.close()
        closing.cancel()
        await failure_of(soon(closing), CancelledError)
        await soon(closed)

    async def test_nothing_is_connected_before_the_first_call(self) -> None:
        """Making a channel touches no socket."""
        with socket.socket(socket.AF_UNIX) as peer:
            peer.bind(self.path)
            peer.listen()
            peer.setblocking(False)
            channel_to(self, self.path)
            await soon(channel_to(self, f"{os.path.dirname(self.path)}/b").close())
            self.assertRaises(BlockingIOError, peer.accept)

    async def test_calls_after_close(self) -> None:
        """A call on a closed channel fails, and opens no connection that nobody would close."""
        channel = await served(self, Method(ASK, StringValue, succeed))
        await self.ask(channel)
        await soon(channel.close())
        await failure_of(self.ask(channel), PeerUnavailable)
        stream = channel.stream(ASK, b"", StringValue)
        await failure_of(soon(stream.read()), PeerUnavailable)

    async def test_tells_who_calls(self) -> None:
        """A handler can read the caller's name, which begins with the channel's `agent`."""
        path = f"{temporary_directory(self)}/b.sock"
        ask = Method(ASK, None, lambda _: StringValue(value=caller()))

        async def watch(name: str) -> AsyncIterator[StringValue]:
            yield StringValue(value=name)

        watching = Method(WATCH, None, lambda _: watch(caller()), streaming=True)
        await soon(server_of(self, path, ask, watching).listen())
        for agent in ("somebody/1.0", "else/2.0"):
            channel = channel_to(self, path, agent=agent)
            answer = await soon(channel.unary(ASK, b"", StringValue))
            self.assertTrue(answer.value.startswith(f"{agent} "), answer.value)
            item = await soon(channel.stream(WATCH, b"", StringValue).read())
            assert item is not None
            self.assertEqual(item.value, answer.value)

    async def test_long_name(self) -> None:
        """A handler gets only the beginning of a caller's long name, which it may keep."""
        path = f"{temporary_directory(self)}/b.sock"
        ask = Method(ASK, None, lambda _: StringValue(value=caller()))
        await soon(server_of(self, path, ask).listen())
        answer = await soon(channel_to(self, path, agent="x" * 4000).unary(ASK, b"", StringValue))
        self.assertEqual(answer.value, "x" * LONGEST)
