"""A plugin's gRPC server, and connections to it, without a network."""

import asyncio
import os
from collections.abc import Callable, Iterable
from typing import Any

import attrs
import grpc
from google.protobuf.message import Message
from twisted.internet.defer import Deferred

from tests.faults.wire import Wire
from twistdp.errors import CallFailed, PeerUnavailable
from twistdp.rpc.codec import encoded


class PluginServer:
    """Replaces ``grpc.aio.server``: calls come from `Connection`s."""

    def __init__(
        self,
        wire: Wire,
        handlers: Iterable[grpc.GenericRpcHandler],
        read_only: Callable[[], bool],
    ) -> None:
        self.running = False
        self.over = False
        self.calls: dict[asyncio.Task[Any], Connection] = {}
        self._loop = asyncio.get_running_loop()
        self._wire = wire
        self._read_only = read_only
        self._handlers = list(handlers)
        self._connections: list[Connection] = []

    def add_insecure_port(self, address: str) -> None:
        """Bind and listen."""
        self._path = address.removeprefix("unix:")
        try:
            self._close = self._wire.listen(self._path, self)
        except OSError as error:
            raise RuntimeError("Failed to bind") from error

    async def start(self) -> None:
        """Accept, from some time on."""
        await _future(self._wire.later("the server starts"))
        self.running = True

    async def stop(self, grace: float) -> None:
        """Accept no more; calls have `grace` seconds."""
        self.over = True
        self._close()
        if os.path.exists(self._path) and not self._read_only():  # as gRPC does with any owner
            os.unlink(self._path)
        if self.calls:
            await asyncio.wait(self.calls, timeout=grace)
        for call in self.calls:
            call.cancel()
        await _future(self._wire.later("the server stops"))
        self.running = False
        for connection in self._connections:
            connection.broken()

    def crash(self) -> None:
        """Close the socket, if it is open."""
        if not self.over:
            self._close()

    def accept(self, connection: "Connection") -> None:
        """A peer has connected."""
        self._connections.append(connection)

    def begin(self, connection: "Connection", method: str, data: bytes, call: "Call") -> None:
        """A request has arrived."""
        handler = next(
            found for h in self._handlers if (found := h.service(_Details(method))) is not None
        )
        context = _Context(call)
        behaviour = handler.unary_stream or handler.unary_unary

        async def run() -> None:
            try:
                answer = await behaviour(data, context)
            except _Aborted as aborted:
                call.answer_end(aborted.code, aborted.text)
            except asyncio.CancelledError:
                call.answer_end("CANCELLED", "")
            else:
                if handler.unary_unary:
                    call.answer(answer)
                call.answer_end("OK", "")

        task = self._loop.create_task(run())
        call.task = task
        self.calls[task] = connection
        task.add_done_callback(self.calls.pop)

    def hang_up(self, connection: "Connection") -> None:
        """A peer has gone: its calls are cancelled."""
        for call in [task for task, of in self.calls.items() if of is connection]:
            call.cancel()


class Call:
    """One call at a plugin, from its caller's side; `took` gets the messages, `ended` the end."""

    def __init__(
        self,
        connection: "Connection",
        name: str,
        took: Callable[[bytes], None],
        ended: Callable[[str, str], None],
    ) -> None:
        self.connection = connection
        self.name = name
        self.stuck = False
        self.task: asyncio.Task[Any] | None = None
        self._took = took
        self._ended: Callable[[str, str], None] | None = ended

    def answer(self, data: bytes) -> None:
        """A message is on its way back."""
        self.connection.down.put(f"{self.name} message", lambda: self._taken(data))

    def answer_end(self, code: str, text: str) -> None:
        """And so is the end."""
        self.connection.down.put(f"{self.name} end", lambda: self.end(code, text))

    def end(self, code: str, text: str) -> None:
        """It is over for the caller."""
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(code, text)

    def cancel(self) -> None:
        """The caller wants no more."""
        self._ended = None
        self.connection.up.put(f"{self.name} cancel", lambda: self.task and self.task.cancel())

    def _taken(self, data: bytes) -> None:
        if self._ended is not None:
            self._took(data)


class Connection:
    """A connection from a kubelet, or from a stranger, to a plugin's socket."""

    def __init__(self, wire: Wire, path: str, agent: str) -> None:
        self.agent = agent
        server = wire.listener(path)
        if server is None:
            raise PeerUnavailable("UNAVAILABLE", "connection refused")
        self._server: PluginServer = server
        self._calls: list[Call] = []
        self.closed = False

        def held() -> bool:
            return not self._server.running and not self._server.over

        self.up = wire.lane(held)
        self.down = wire.lane()
        server.accept(self)

    def unary(self, method: str, request: Message) -> Deferred[bytes]:
        """The answer; fails with CallFailed, and may be cancelled."""
        got: list[bytes] = []

        def ended(code: str, text: str) -> None:
            if code == "OK":
                done.callback(got[0])
            elif code == "UNAVAILABLE":
                done.errback(PeerUnavailable(code, text))
            else:
                done.errback(CallFailed(code, text))

        done: Deferred[bytes] = Deferred(lambda _: call.cancel())
        call = self.call(method, request, got.append, ended)
        return done

    def call(
        self,
        method: str,
        request: Message,
        took: Callable[[bytes], None],
        ended: Callable[[str, str], None],
        stuck: bool = False,
    ) -> Call:
        """Begin a call."""
        name = method.rpartition("/")[2]
        call = Call(self, name, took, ended)
        call.stuck = stuck
        self._calls.append(call)
        if self.closed:
            call.end("UNAVAILABLE", "closed")
            return call

        def arrive() -> None:
            if self._server.over:
                self.broken()
            else:
                self._server.begin(self, method, encoded(request), call)

        self.up.put(f"{name} request", arrive)
        return call

    def broken(self) -> None:
        """The plugin's server is gone."""
        self.up.steps.clear()
        self.down.put("connection breaks", self._fail)

    def close(self, lost: bool) -> None:
        """Hang up; with `lost`, what was on its way to the plugin does not get there."""
        if self.closed:
            return
        if lost:
            self.up.steps.clear()
        self.down.steps.clear()
        self.up.put("hang-up", lambda: self._server.hang_up(self))
        self._fail()

    def _fail(self) -> None:
        self.closed = True
        for call in self._calls:
            call.end("UNAVAILABLE", "connection lost")


@attrs.frozen
class _Details:
    method: str


@attrs.frozen
class _Aborted(Exception):
    code: str
    text: str


class _Context:
    def __init__(self, call: Call) -> None:
        self._call = call

    def invocation_metadata(self) -> list[tuple[str, str]]:
        return [("user-agent", self._call.connection.agent)]

    async def write(self, data: bytes) -> None:
        if self._call.stuck:
            await asyncio.get_running_loop().create_future()
        self._call.answer(data)

    async def abort(self, code: grpc.StatusCode, text: str) -> None:
        raise _Aborted(code.name, text)


def _future(deferred: Deferred[None]) -> asyncio.Future[None]:
    return deferred.asFuture(asyncio.get_running_loop())
