"""Tests for calls between twistdp.rpc.Channel and twistdp.rpc.Server, both ends real."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BytesValue, StringValue
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults, succeed
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from tests.support.helpers import Gate, failure_of, soon, temporary_directory
from tests.support.servers import channel_to, served, server_of
from twistdp.errors import (
    BadSetting,
    CallFailed,
    CallTimedOut,
    ConflictingDevices,
    MalformedMessage,
    TwistdpError,
    UnhealthyDevice,
    UnknownDevice,
)
from twistdp.logs.format import as_json, as_text
from twistdp.logs.record import record_of
from twistdp.rpc.bridge import deferred_from, loop_of
from twistdp.rpc.calls import EndedCall, Method, _send
from twistdp.rpc.channel import Channel
from twistdp.rpc.status import code_of
from twistdp.tools.latest import Latest

ASK = "/test.Service/Ask"
WATCH = "/test.Service/Watch"
OTHER = "/another.Service/Ask"


def ask(channel: Channel, text: str = "you", **options: Any) -> Deferred[StringValue]:
    """Call the unary method."""
    return soon(channel.unary(ASK, StringValue(value=text), StringValue, **options))


class EndedTests(TestCase):
    """The value for a call that has ended."""

    async def said(self, handler: Any, request: Message) -> EndedCall:
        """Call `handler`, and return it."""
        ended: Deferred[EndedCall] = Deferred()
        path = f"{temporary_directory(self)}/a.sock"
        method = Method(ASK, StringValue, handler)
        await soon(server_of(self, path, method, ended=ended.callback).listen())
        channel = channel_to(self, path)
        channel.unary(ASK, request, StringValue).addErrback(lambda _: None)
        return await soon(ended)

    async def test_answered(self) -> None:
        """An answered call has its request and the answer's bytes, after the handler's turn."""
        turns: list[str] = []

        def handler(request: StringValue) -> StringValue:
            loop_of(reactor).call_soon(turns.append, "next")
            return request

        call = await self.said(handler, StringValue(value="you"))
        self.assertEqual(turns, ["next"])
        self.assertEqual((call.method.path, call.status), (ASK, "OK"))
        self.assertEqual(call.request, StringValue(value="you"))
        self.assertEqual(call.answer, StringValue(value="you").SerializeToString())
        self.assertGreater(call.seconds, 0)

    async def test_refused(self) -> None:
        """A refused call has its request and the status of the refusal, and no answer."""

        def refuse(_: StringValue) -> StringValue:
            raise UnknownDevice("no such device")

        call = await self.said(refuse, StringValue(value="you"))
        self.assertEqual(
            (call.request, call.answer, call.status),
            (StringValue(value="you"), None, "NOT_FOUND"),
        )

    async def test_not_parsed(self) -> None:
        """It has no request."""
        call = await self.said(succeed, BytesValue(value=b"\xff"))
        self.assertEqual((call.request, call.answer), (None, None))


class UnaryTests(TestCase):
    """Tests for methods that give one answer."""

    async def test_value(self) -> None:
        """A handler may return its answer."""
        channel = await served(
            self,
            Method(ASK, StringValue, lambda request: StringValue(value=f"hello {request.value}")),
        )
        self.assertEqual((await ask(channel)).value, "hello you")

    async def test_fired_deferred(self) -> None:
        """A handler may return a Deferred that has fired."""
        channel = await served(self, Method(ASK, StringValue, succeed))
        self.assertEqual((await ask(channel)).value, "you")

    async def test_deferred(self) -> None:
        """A handler may return a Deferred that fires later."""
        gate = Gate()
        channel = await served(self, Method(ASK, StringValue, lambda _: gate.wait()))
        answer = ask(channel)
        await soon(gate.entered)
        self.assertNoResult(answer)
        gate.opened.callback(StringValue(value="late"))
        self.assertEqual((await answer).value, "late")

    async def test_coroutine(self) -> None:
        """A handler may be a coroutine that awaits a Deferred not yet fired."""
        gate = Gate()

        async def handler(request: StringValue) -> StringValue:
            return StringValue(value=f"{request.value} {await gate.wait()}")

        channel = await served(self, Method(ASK, StringValue, handler))
        answer = ask(channel)
        await soon(gate.entered)
        gate.opened.callback("later")
        self.assertEqual((await answer).value, "you later")

    async def test_bytes_pass_through(self) -> None:
        """Without a request class the handler gets bytes; its own bytes are sent as they are."""
        got = []

        def handler(data: bytes) -> bytes:
            got.append(data)
            return StringValue(value="raw").SerializeToString()

        channel = await served(self, Method(ASK, None, handler))
        answer = await soon(channel.unary(ASK, b"\xff\x00", StringValue))
        self.assertEqual((got, answer.value), ([b"\xff\x00"], "raw"))

    async def test_services_are_told_apart(self) -> None:
        """Methods with the same name in two services are two methods."""
        channel = await served(
            self,
            Method(ASK, StringValue, lambda _: StringValue(value="one")),
            Method(OTHER, StringValue, lambda _: StringValue(value="other")),
            Method("/test.Service/Zero", StringValue, lambda _: StringValue(value="zero")),
        )
        got = [
            (await soon(channel.unary(path, b"", StringValue))).value
            for path in (OTHER, "/test.Service/Zero", ASK)
        ]
        self.assertEqual(got, ["other", "zero", "one"])

    async def test_calls_run_side_by_side(self) -> None:
        """A call that waits holds up no other."""
        gate = Gate()

        def handler(request: StringValue) -> Any:
            return gate.wait() if request.value == "slow" else request

        channel = await served(self, Method(ASK, StringValue, handler))
        slow = ask(channel, "slow")
        await soon(gate.entered)
        quick = await soon(gatherResults([ask(channel, str(n)) for n in range(20)]))
        self.assertEqual([answer.value for answer in quick], [str(n) for n in range(20)])
        self.assertNoResult(slow)
        gate.opened.callback(StringValue(value="done"))
        self.assertEqual((await slow).value, "done")

    async def test_unknown_method(self) -> None:
        """A method that the server lacks is UNIMPLEMENTED."""
        channel = await served(self, Method(ASK, StringValue, succeed))
        call = soon(channel.unary("/test.Service/No", b"", StringValue))
        error = await failure_of(call, CallFailed)
        self.assertEqual(error.status, "UNIMPLEMENTED")


class RefusalTests(TestCase):
    """Tests for the answers that a handler's exceptions become."""

    async def refused(self, handler: Any) -> CallFailed:
        """The error that the caller of a handler with an exception gets."""
        channel = await served(self, Method(ASK, StringValue, handler))
        error = await failure_of(ask(channel), CallFailed)
        assert isinstance(error, CallFailed)
        return error

    async def test_malformed_request(self) -> None:
        """Bytes that are no message are INVALID_ARGUMENT naming it: one log line, no stack."""
        called: list[Any] = []
        channel = await served(self, Method(ASK, StringValue, called.append))
        with capturedLogs() as events:
            error = await failure_of(
                soon(channel.unary(ASK, b"\xff\xff\xff", StringValue)), CallFailed
            )
        self.assertEqual(error.status, "INVALID_ARGUMENT")
        self.assertIn("google.protobuf.StringValue", error.details)
        self.assertIn(ASK, error.details)
        self.assertEqual(called, [])
        self.assertEqual(len(events), 1, events)
        self.assertNotIn("log_failure", events[0])

    async def test_malformed_request_of_a_stream(self) -> None:
        """A streaming method refuses bytes that are no message in the same way."""
        called: list[Any] = []
        channel = await served(self, Method(WATCH, StringValue, called.append, streaming=True))
        stream = channel.stream(WATCH, b"\xff\xff\xff", StringValue)
        error = await failure_of(soon(stream.read()), CallFailed)
        self.assertEqual(error.status, "INVALID_ARGUMENT")
        self.assertIn("google.protobuf.StringValue", error.details)
        self.assertEqual(called, [])

    async def test_stated_refusals(self) -> None:
        """Each stated refusal reaches the caller with its status and its own text."""
        refusal: list[TwistdpError] = []

        def handler(_: StringValue) -> None:
            raise refusal.pop()

        channel = await served(self, Method(ASK, StringValue, handler))
        for kind in (
            UnknownDevice,
            UnhealthyDevice,
            ConflictingDevices,
            MalformedMessage,
            BadSetting,
        ):
            refusal.append(kind(f"because of {kind.__name__}"))
            error = await failure_of(ask(channel), CallFailed)
            self.assertEqual(error.status, getattr(code_of(kind), "name", None))
            self.assertEqual(error.details, f"because of {kind.__name__}")

    async def test_refusal_from_a_coroutine(self) -> None:
        """A coroutine can refuse after a wait, as a function does at once."""
        gate = Gate()

        async def handler(_: StringValue) -> None:
            await gate.wait()

        channel = await served(self, Method(ASK, StringValue, handler))
        call = ask(channel)
        await soon(gate.entered)
        gate.opened.errback(UnknownDevice("no device 'a'"))
        error = await failure_of(call, CallFailed)
        self.assertEqual((error.status, error.details), ("NOT_FOUND", "no device 'a'"))

    async def refusing(self) -> Channel:
        """Serve a method that refuses each call, and whose log describes the request."""

        def handler(_: StringValue) -> None:
            raise UnknownDevice("gone")

        method = Method(ASK, StringValue, handler, about=lambda request: f"<{request.value}>")
        return await served(self, method)

    async def test_what_a_call_was_about(self) -> None:
        """The log of a refusal describes the request, if there was one."""
        channel = await self.refusing()
        with capturedLogs() as events:
            await failure_of(ask(channel, "it"), CallFailed)
            await failure_of(soon(channel.unary(ASK, b"\xff\xff\xff", StringValue)), CallFailed)
        said = [formatEvent(event) for event in events]
        name = ASK.rpartition("/")[2]
        self.assertEqual(said[0], f"{name} of <it> refused: gone")
        self.assertTrue(said[1].startswith(f"{name} refused: "), said[1])

    async def test_line_of_a_refusal(self) -> None:
        """The line has the method once; programs get it as a field, with gRPC's status."""
        channel = await self.refusing()
        with capturedLogs() as events:
            await failure_of(ask(channel, "it"), CallFailed)
        record = record_of(events[0], ("x.py", 1))
        assert record is not None
        name = ASK.rpartition("/")[2]
        self.assertTrue(as_text(record).endswith(f"] {name} of <it> refused: gone"))
        line = json.loads(as_json(record))
        self.assertEqual((line["msg"], line["method"]), ("call refused", ASK))
        self.assertEqual((line["reason"], line["status"]), ("gone", "NOT_FOUND"))

    async def test_unknown_exception(self) -> None:
        """A bug is INTERNAL with its type alone, text and stack logged exactly once."""

        def handler(_: StringValue) -> None:
            raise ZeroDivisionError("by zero")

        error = await self.refused(handler)
        self.assertEqual(error.status, "INTERNAL")
        self.assertIn("ZeroDivisionError; its log", error.details)
        self.assertIn(ASK, error.details)
        self.assertNotIn("\n", error.details)
        (logged,) = self.flushLoggedErrors()
        self.assertIn("in handler", logged.getTraceback())

    async def test_unknown_exception_of_a_stream(self) -> None:
        """A bug in a stream ends it as INTERNAL after what was sent before, logged once."""

        async def handler(_: StringValue) -> AsyncIterator[StringValue]:
            yield StringValue(value="first")
            raise ZeroDivisionError("by zero")

        channel = await served(self, Method(WATCH, StringValue, handler, streaming=True))
        stream = channel.stream(WATCH, b"", StringValue)
        first = await soon(stream.read())
        assert first is not None
        self.assertEqual(first.value, "first")
        error = await failure_of(soon(stream.read()), CallFailed)
        self.assertEqual(error.status, "INTERNAL")
        self.assertIn("ZeroDivisionError; its log", error.details)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_answer_that_is_no_message(self) -> None:
        """A handler that returns no answer is a bug like any other."""
        error = await self.refused(lambda _: None)
        self.assertEqual(error.status, "INTERNAL")
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    async def test_stream_that_is_no_iterator(self) -> None:
        """A streaming handler that returns no async iterator is a bug like any other."""
        channel = await served(self, Method(WATCH, StringValue, lambda _: [1], streaming=True))
        stream = channel.stream(WATCH, b"", StringValue)
        error = await failure_of(soon(stream.read()), CallFailed)
        self.assertEqual(error.status, "INTERNAL")
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    async def test_server_goes_on_after_a_bug(self) -> None:
        """A call after one that failed is answered."""
        outcomes = [StringValue(value="fine"), None]
        channel = await served(self, Method(ASK, StringValue, lambda _: outcomes.pop()))
        await failure_of(ask(channel), CallFailed)
        self.assertEqual((await ask(channel)).value, "fine")
        self.assertEqual(len(self.flushLoggedErrors()), 1)


class StreamTests(TestCase):
    """Tests for methods that answer with a stream."""

    async def test_generator_that_awaits_deferreds(self) -> None:
        """An async generator may await Deferreds; each item is sent as it comes, then an end."""
        gates = [Gate(), Gate()]

        async def handler(request: StringValue) -> AsyncIterator[Any]:
            for gate in gates:
                text = await gate.wait()
                yield StringValue(value=f"{request.value} {text}")

        channel = await served(self, Method(WATCH, StringValue, handler, streaming=True))
        stream = channel.stream(WATCH, StringValue(value="you"), StringValue)
        got = []
        for gate in gates:
            item = stream.read()
            await soon(gate.entered)
            self.assertNoResult(item)
            gate.opened.callback("later")
            got.append(await soon(item))
        self.assertEqual(got, [StringValue(value="you later")] * 2)
        for _ in range(2):
            end = await soon(stream.read())
            self.assertIsNone(end)

    async def test_iteration(self) -> None:
        """A stream can be iterated, and may carry bytes."""

        async def handler(data: bytes) -> AsyncIterator[bytes]:
            for _ in range(3):
                yield data

        channel = await served(self, Method(WATCH, None, handler, streaming=True))
        item = StringValue(value="same")
        got = [part async for part in channel.stream(WATCH, item, StringValue)]
        self.assertEqual(got, [item] * 3)

    async def test_iterator_that_is_no_generator(self) -> None:
        """Any async iterator will do."""

        class Items:
            def __init__(self) -> None:
                self.left = 2

            def __aiter__(self) -> "Items":
                return self

            async def __anext__(self) -> StringValue:
                self.left -= 1
                if self.left < 0:
                    raise StopAsyncIteration
                return StringValue(value=str(self.left))

        channel = await served(self, Method(WATCH, None, lambda _: Items(), streaming=True))
        got = [part.value async for part in channel.stream(WATCH, b"", StringValue)]
        self.assertEqual(got, ["1", "0"])

    async def test_item_that_does_not_parse(self) -> None:
        """An item that is no message fails its read as MalformedMessage, naming the method."""

        async def handler(_: bytes) -> AsyncIterator[bytes]:
            yield b"\xff\xff\xff"

        channel = await served(self, Method(WATCH, None, handler, streaming=True))
        stream = channel.stream(WATCH, b"", StringValue)
        error = await failure_of(soon(stream.read()), MalformedMessage)
        self.assertIn(WATCH, str(error))
        self.assertIn("google.protobuf.StringValue", str(error))

    async def test_stream_that_is_not_read_skips_to_the_latest(self) -> None:
        """One reader gets the last value while another does not read; that one gets it later."""
        size, count = 1_000_000, 200
        latest = Latest(b"")

        async def handler(_: bytes) -> AsyncIterator[BytesValue]:
            version = -1
            while True:
                if latest.version == version:
                    await latest.newer_than(version)
                version = latest.version
                yield BytesValue(value=latest.value)

        channel = await served(self, Method(WATCH, None, handler, streaming=True))
        read, unread = (channel.stream(WATCH, b"", BytesValue) for _ in range(2))
        for stream in (read, unread):
            await soon(stream.read())
        for number in range(count):
            latest.publish(b"%d" % number + bytes(size))
            item = await soon(read.read())
            while item is not None and item.value != latest.value:
                item = await soon(read.read())
            assert item is not None
        received = 0
        item = None
        while item is None or item.value != latest.value:
            item = await soon(unread.read())
            assert item is not None
            received += 1
        self.assertLess(received, count // 10)
        read.cancel()
        unread.cancel()

    async def test_peer_that_goes_away_in_a_message(self) -> None:
        """Nothing more is sent to it, and the iterator is closed."""
        sent: list[bytes] = []
        closed: list[bool] = []

        class Gone:
            """gRPC's context of a call whose peer has gone."""

            async def write(self, data: bytes) -> None:
                """Refuse the message."""
                sent.append(data)
                raise grpc.aio.InternalError("gone")

        async def lists() -> AsyncIterator[bytes]:
            try:
                for _ in range(9):
                    yield b"list"
            finally:
                closed.append(True)

        await soon(deferred_from(_send(lists(), Gone()), loop_of(reactor)))
        self.assertEqual((sent, closed), ([b"list"], [True]))


class CancellationTests(TestCase):
    """Tests for callers that go away, and callees that do."""

    async def test_deferred(self) -> None:
        """A caller's cancel reaches the canceller of the handler's Deferred."""
        gate = Gate()
        channel = await served(self, Method(ASK, StringValue, lambda _: gate.wait()))
        call = ask(channel)
        await soon(gate.entered)
        call.cancel()
        await failure_of(call, CancelledError)
        await soon(gate.cancelled)

    async def test_coroutine(self) -> None:
        """A caller's cancel reaches a coroutine as Twisted's CancelledError."""
        gate, seen = Gate(), Deferred[BaseException]()

        async def handler(_: StringValue) -> StringValue:
            try:
                return StringValue(value=await gate.wait())
            except BaseException as error:
                seen.callback(error)
                raise

        channel = await served(self, Method(ASK, StringValue, handler))
        call = ask(channel)
        await soon(gate.entered)
        call.cancel()
        await failure_of(call, CancelledError)
        error = await soon(seen)
        self.assertIs(type(error), CancelledError)

    async def test_generator(self) -> None:
        """A cancelled stream raises CancelledError where the generator waits; finally runs."""
        gate, left = Gate(), Deferred[str]()

        async def handler(_: StringValue) -> AsyncIterator[StringValue]:
            caught = "nothing"
            try:
                yield StringValue(value="first")
                await gate.wait()
            except CancelledError:
                caught = "CancelledError"
                raise
            finally:
                left.callback(caught)

        channel = await served(self, Method(WATCH, StringValue, handler, streaming=True))
        stream = channel.stream(WATCH, b"", StringValue)
        await soon(stream.read())
        await soon(gate.entered)
        pending = soon(stream.read())
        stream.cancel()
        await failure_of(pending, CancelledError)
        self.assertEqual(await soon(left), "CancelledError")

    async def test_generator_after_its_read_was_cancelled(self) -> None:
        """Cancelling a pending read ends the call too."""
        gate = Gate()

        async def handler(_: StringValue) -> AsyncIterator[StringValue]:
            yield await gate.wait()

        channel = await served(self, Method(WATCH, StringValue, handler, streaming=True))
        pending = channel.stream(WATCH, b"", StringValue).read()
        await soon(gate.entered)
        pending.cancel()
        await failure_of(pending, CancelledError)
        await soon(gate.cancelled)

    async def test_generator_parked_in_a_write(self) -> None:
        """A generator whose stream nobody reads runs its finally when the caller goes away."""
        entered, left = Deferred[None](), Deferred[None]()

        async def items() -> AsyncIterator[BytesValue]:
            entered.callback(None)
            try:
                while True:
                    yield BytesValue(value=bytes(1_000_000))
            finally:
                left.callback(None)

        kept = items()  # so that it is closed, and not just collected
        channel = await served(self, Method(WATCH, None, lambda _: kept, streaming=True))
        stream = channel.stream(WATCH, b"", BytesValue)
        await soon(stream.read())
        await soon(entered)
        self.assertNoResult(left)
        stream.cancel()
        await soon(left)

    async def test_cancel_before_the_call_was_made(self) -> None:
        """A read that is cancelled at once never reaches the peer, and a later one fails."""
        called: list[Any] = []
        channel = await served(self, Method(WATCH, None, called.append, streaming=True))
        stream = channel.stream(WATCH, b"", StringValue)
        pending = stream.read()
        stream.cancel()
        await failure_of(soon(pending), CancelledError)
        await failure_of(soon(stream.read()), CancelledError)
        self.assertEqual(called, [])

    async def test_nothing_of_a_cancelled_call_is_logged(self) -> None:
        """Callers that go away leave no line in the log."""
        gate, left = Gate(), Deferred[None]()

        async def handler(_: StringValue) -> None:
            try:
                await gate.wait()
            finally:
                left.callback(None)

        channel = await served(self, Method(ASK, StringValue, handler))
        with capturedLogs() as events:
            call = ask(channel)
            await soon(gate.entered)
            call.cancel()
            await failure_of(call, CancelledError)
            await soon(left)
        self.assertEqual(events, [])

    async def test_timeout(self) -> None:
        """A call that is not answered in time fails as CallTimedOut; its handler is cancelled."""
        gate = Gate()
        channel = await served(self, Method(ASK, StringValue, lambda _: gate.wait()))
        for timeout in (0.2, 2.0, 20.0):
            error = await failure_of(ask(channel, timeout=timeout), CallTimedOut)
            self.assertEqual(error.status, "DEADLINE_EXCEEDED")
            if gate.entered.called:  # on a busy machine its handler may not have begun
                break
        await soon(gate.cancelled)

    async def test_timeout_under_a_wall_clock_that_is_set(self) -> None:
        """A time-out lasts its seconds, however the wall clock is set."""
        gate, wall = Gate(), time.time
        channel = await served(
            self,
            Method(ASK, StringValue, lambda request: request),
            Method(OTHER, StringValue, lambda _: gate.wait()),
        )
        for step in (15.0, -15.0, 3e8, -3e8):
            self.patch(time, "time", lambda step=step: wall() + step)
            self.assertEqual((await ask(channel, timeout=10.0)).value, "you")
        self.patch(time, "time", lambda: wall() + 3e8)
        call = soon(channel.unary(OTHER, b"", StringValue, timeout=0.2))
        await failure_of(call, CallTimedOut)

    async def test_caller_that_closes_its_channel(self) -> None:
        """Closing the channel ends its calls at both ends."""
        gate = Gate()
        channel = await served(self, Method(ASK, StringValue, lambda _: gate.wait()))
        call = ask(channel)
        await soon(gate.entered)
        await soon(channel.close())
        await self.assertFailure(call, CallFailed, CancelledError)
        await soon(gate.cancelled)

    async def test_server_that_stops(self) -> None:
        """Calls that outlive a stopping server's grace are cancelled, and fail at the caller."""
        path, gate = f"{temporary_directory(self)}/a.sock", Gate()
        server = server_of(self, path, Method(ASK, StringValue, lambda _: gate.wait()))
        await soon(server.listen())
        channel = Channel(path, reactor=reactor)
        self.addCleanup(channel.close)
        call = ask(channel)
        await soon(gate.entered)
        await soon(server.stopService())
        await soon(gate.cancelled)
        await failure_of(call, CallFailed)
