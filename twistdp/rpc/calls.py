"""The methods that a server has, and how a call of one is answered."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import Message

from twistdp.rpc import bridge
from twistdp.rpc.caller import answering
from twistdp.rpc.codec import encoded, parsed
from twistdp.rpc.limits import Unread
from twistdp.rpc.status import answer_for
from twistdp.tools import Sparing


class Method(NamedTuple):
    """One remote method.

    `path` is its name on the wire, ``/package.Service/Method``.  `handler` is called with the
    request, a message of the class `request`, or the raw bytes if that is None.  It answers
    with a message, or with bytes, which are sent as they are: as a value, a Deferred or a
    coroutine.  A `streaming` method's handler returns an async iterator of answers, such as an
    async generator that awaits Deferreds.

    When the caller goes away, the handler's result is cancelled: a Deferred by its canceller, a
    coroutine or generator with Twisted's CancelledError where it waits.

    `about` describes a request in a few words, for the log of a refusal.
    """

    path: str
    request: type[Message] | None
    handler: Callable[[Any], Any]
    streaming: bool = False
    about: Callable[[Any], str] | None = None

    def called(self, request: Any) -> str:
        """The call in the log; `request` is None if it could not be parsed."""
        name = self.path.rpartition("/")[2]
        if self.about is None or request is None:
            return name
        return f"{name} of {self.about(request)}"


class EndedCall(NamedTuple):
    """One call of `method` that has ended after `seconds`."""

    method: Method
    request: Any
    """The request that the handler got; None if it could not be parsed."""
    answer: bytes | None
    """The bytes that were sent; None after a failure, and for a stream."""
    seconds: float
    status: str
    """The name of gRPC's status: ``OK``, ``CANCELLED``, …"""


class Calls(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers the calls of `methods`, in gRPC's tasks.

    `ended` is called after each, in the reactor's next turn: by then the answer is on its way.
    """

    def __init__(
        self, methods: Iterable[Method], clock: Any, ended: Callable[[EndedCall], None]
    ) -> None:
        self._clock = clock
        self._ended = ended
        self._sparing = Sparing(clock)
        self._unread = Unread()
        self._running: set[asyncio.Task[Any]] = set()
        self._handlers = {
            method.path: (
                grpc.unary_stream_rpc_method_handler
                if method.streaming
                else grpc.unary_unary_rpc_method_handler
            )(partial(self._answer, method))
            for method in methods
        }

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """The handler of a call, None if there is no such method."""
        return self._handlers.get(details.method)

    async def ended(self, timeout: float) -> int:
        """Wait until none runs, but no longer than `timeout` seconds; returns how many still do."""
        if not self._running:
            return 0
        _, late = await asyncio.wait(list(self._running), timeout=timeout)
        return len(late)

    async def _answer(self, method: Method, data: bytes, context: Any) -> bytes | None:
        """Answer a call: return the answer's bytes, or write those of a stream."""
        current = answering(context)
        began, status = self._clock.seconds(), "CANCELLED"
        request = answer = None
        try:
            self._unread.hold(data, context)
            request = data if method.request is None else parsed(data, method.request, method.path)
            result = method.handler(request)
            if type(result) is not bytes:  # usual ones take no detour: pods wait for them
                with self._noted():
                    if method.streaming:
                        await _send(result, context)
                        status = "OK"
                        return None
                    result = encoded(await bridge.awaited(result))
            self._unread.hold(result, context)
            answer, status = result, "OK"
            return answer
        except Exception as error:
            code, text = answer_for(error, method.path, method.called(request), self._sparing)
            status = code.name
        finally:
            current.clear()
            call = EndedCall(method, request, answer, self._clock.seconds() - began, status)
            asyncio.get_running_loop().call_soon(self._ended, call)
        del request, call  # a message takes forty times its bytes
        await context.abort(code, text)
        raise AssertionError("abort raises")

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """While the block runs, its task is one that `ended` waits for."""
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            yield
        finally:
            self._running.discard(task)


async def _send(items: Any, context: Any) -> None:
    """Write all items of a stream."""
    try:
        while True:
            item = await bridge.awaited(bridge.following(items))
            if item is bridge.END:
                return
            try:
                await context.write(encoded(item))
            except grpc.aio.InternalError:
                return  # the peer went away in the middle of the message
    finally:
        await bridge.awaited(bridge.close(items))
