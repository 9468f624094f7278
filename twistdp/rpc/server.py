"""A gRPC server as a Twisted service."""

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import groupby
from typing import Any

import attrs
import grpc
from google.protobuf.message import Message
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistdp.errors import SocketTaken
from twistdp.host import check_descriptors, mending
from twistdp.rpc import bridge
from twistdp.rpc.address import address
from twistdp.rpc.codec import encoded, parsed
from twistdp.rpc.limits import OPTIONS, Unread
from twistdp.rpc.needs import check_needs
from twistdp.rpc.privacy import GRPC
from twistdp.rpc.socketfile import SocketFile
from twistdp.rpc.status import answer_for
from twistdp.tools import Sparing

_log = Logger()

LATE = 0.3
"""Seconds that cancelled calls get for their clean-up before a stop goes on without them."""

REMOVED = "the next plugin that starts there removes what is left"

_call: ContextVar[list[Any]] = ContextVar("call")
"""gRPC's context of the call that a handler is called for.

In a list, which is emptied when the call ends: what failed may keep the variables of its time, and
the connection of the call with them, until the garbage collector comes.
"""


def caller() -> str:
    """What the program calls itself whose call a handler is called for (header ``user-agent``).

    Empty where it does not say, and outside of handlers.
    """
    for context in _call.get(()):
        return str(dict(context.invocation_metadata()).get("user-agent", ""))
    return ""


@attrs.frozen
class Method:
    """One remote method.

    `path` is its name on the wire, ``/package.Service/Method``.  `handler` is called with the
    request, a message of the class `request`, or the raw bytes if that is None.  It answers
    with a message or with bytes, which are sent as they are: as a value, a Deferred or a
    coroutine.  A `streaming` method's handler returns an async iterator of answers, such as an
    async generator that awaits Deferreds.

    When the caller goes away, what the handler returned is cancelled: a Deferred by its
    canceller, a coroutine or generator with Twisted's CancelledError where it waits.

    `about` says in a few words what a request is about; the log has them where it is refused.
    """

    path: str
    request: type[Message] | None
    handler: Callable[[Any], Any]
    streaming: bool = False
    about: Callable[[Any], str] | None = None

    def called(self, request: Any) -> str:
        """The call in the log; `request` is None if it was none."""
        if self.about is None or request is None:
            return self.path
        return f"{self.path} of {self.about(request)}"


class Server(Service):
    """Serves `methods` on the unix socket `path`, mode 0600.

    The name appears when the server is ready, a live server there is not replaced, a dead
    socket is (see `SocketFile`).  Stopping removes the name, gives calls `grace` seconds to
    end, and then cancels them.  `place` is where the socket is bound, see `SocketFile`.
    """

    def __init__(
        self,
        path: str,
        methods: Iterable[Method],
        *,
        reactor: Any,
        grace: float = 0.3,
        place: str | None = None,
    ) -> None:
        self.path = path
        self._file = SocketFile(path, place)
        self.place = self._file.bound
        """Where the socket is bound."""
        GRPC.has(self)
        self._methods = sorted(methods, key=lambda method: method.path)
        self._reactor = reactor
        self._sparing = Sparing(reactor)
        self._unread = Unread()
        self._grace = grace
        self._server: grpc.aio.Server | None = None
        self._calls: set[asyncio.Task[Any]] = set()
        self._turn = asyncio.Lock()  # one after the other listens or stops, as they were asked to
        self._pending: Deferred[None] | None = None
        self._waiting: list[Deferred[None]] = []

    def startService(self) -> None:
        """Begin to listen; `listen` tells when that is done, or why it failed."""
        super().startService()
        self.listen().addErrback(_report)

    def listen(self) -> Deferred[None]:
        """See to it that the server runs and its socket has its name; fires when so.

        May be called again at any time: after the name was removed it is made anew, and after
        the directory was made anew, so is the server.  Fails with `SocketTaken` while somebody
        else is there, with `Untrusted` while others may change the directory, and with OSError
        if the socket cannot be made; call it again then.
        """
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        if self._pending is None:
            self._begin_listening()
        return done

    def is_published(self) -> bool:
        """Whether the socket's name is there and ours."""
        return self._file.is_published()

    def withdraw(self) -> None:
        """Remove the socket's name, if it is ours; connections go on, `listen` makes it anew."""
        self._file.withdraw()

    def stopService(self) -> Deferred[None]:
        """Stop; fires when the last handler has ended and nothing is left on disk."""
        super().stopService()
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done.cancel()
        self._withdraw()
        if self._server is None and self._pending is None and not self._turn.locked():
            self._clean_up()
            return succeed(None)
        return bridge.deferred_from(self._stop(), bridge.loop_of(self._reactor))

    def crash(self) -> Deferred[None]:
        """Stop like a process that was killed: the dead socket keeps its name."""
        self._file.forget()
        return self.stopService()

    def publish(self) -> None:
        """Give the bound socket its name; called by `listen`, for subclasses to extend."""
        self._file.publish()

    def _begin_listening(self) -> None:
        # Only for those who wait now: whoever comes later may know of something that this
        # attempt has already looked at.
        waiting, self._waiting = self._waiting, []
        loop = bridge.loop_of(self._reactor)
        self._pending = bridge.deferred_from(self._listen(loop), loop)
        self._pending.addBoth(self._listened, waiting)

    def _listened(self, result: Any, waiting: list[Deferred[None]]) -> None:
        self._pending = None
        if self._waiting:
            self._begin_listening()
        for done in waiting:
            done.callback(result)  # a Failure fails them

    async def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        async with self._turn:
            if self._server is not None and not self._file.is_bound():
                # The directory was removed, and the socket in it: its name leads nowhere any more.
                await self._end()
            if self._server is None:
                check_needs()
                bound = self._file.claim()
                with GRPC.opening():
                    self._server = server = grpc.aio.server(
                        handlers=self._handlers(loop), options=OPTIONS
                    )
                try:
                    server.add_insecure_port(address(bound))
                except RuntimeError as error:
                    _check_binding(bound)
                    raise OSError(f"{self.path}: gRPC cannot bind {bound}: {error}") from error
                await server.start()
            self.publish()

    async def _stop(self) -> None:
        async with self._turn:  # gRPC cannot stop a server that is just starting
            await self._end()

    async def _end(self) -> None:
        self._withdraw()
        server, self._server = self._server, None
        try:
            if server is not None:
                try:
                    await server.stop(self._grace)
                except asyncio.CancelledError:
                    await server.stop(None)
                    raise
            if self._calls:  # stop() returns before the last handlers' clean-up has run
                _, late = await asyncio.wait(list(self._calls), timeout=self._grace + LATE)
                if late:
                    _log.error(
                        "{path}: {count} calls do not end though they were cancelled; stopping "
                        "without them",
                        path=self.path,
                        count=len(late),
                    )
        finally:
            self._clean_up()

    def _withdraw(self) -> None:
        """Let nobody come any more; what fails is tried again by `_clean_up`."""
        with suppress(OSError):
            self._file.withdraw()

    def _clean_up(self) -> None:
        """Leave nothing on disk.  What cannot be removed is logged, and is nobody's from now on."""
        failed: list[Exception] = []
        for step in (self._file.withdraw, self._file.release):
            try:
                step()
            except (OSError, SocketTaken) as error:
                failed.append(error)
        self._file.forget()
        if failed:
            _log.warn(
                "{path}: its server has ended, but it or its private directory cannot be removed: "
                "{reason}; {remedy}",
                path=self.path,
                reason=getattr(failed[0], "strerror", None) or str(failed[0]),
                remedy=mending(failed[0]) or REMOVED,
            )

    @contextmanager
    def _tracked(self) -> Iterator[None]:
        """A call during which a stop waits for its clean-up."""
        task = asyncio.current_task()
        assert task is not None
        self._calls.add(task)
        try:
            yield
        finally:
            self._calls.discard(task)

    def _handlers(self, loop: asyncio.AbstractEventLoop) -> list[grpc.GenericRpcHandler]:
        handlers = []
        for service, methods in groupby(self._methods, lambda method: method.path.split("/")[1]):
            table = {}
            for method in methods:
                name = method.path.split("/")[2]
                if method.streaming:
                    table[name] = grpc.unary_stream_rpc_method_handler(self._stream(method, loop))
                else:
                    table[name] = grpc.unary_unary_rpc_method_handler(self._unary(method, loop))
            handlers.append(grpc.method_handlers_generic_handler(service, table))
        return handlers

    def _unary(
        self, method: Method, loop: asyncio.AbstractEventLoop
    ) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def call(data: bytes, context: Any) -> bytes:
            current = [context]
            _call.set(current)
            request = None
            try:
                self._unread.check(len(data))
                request = _request(method, data)
                result = method.handler(request)
                if type(result) is not bytes:  # usual ones take no detour: pods wait for them
                    with self._tracked():
                        result = encoded(await bridge.awaited(result, loop))
                self._unread.hold(result, context)
                return result
            except Exception as error:
                code, text = answer_for(error, method.path, method.called(request), self._sparing)
            finally:
                current.clear()
            await context.abort(code, text)
            raise AssertionError("abort raises")

        return call

    def _stream(
        self, method: Method, loop: asyncio.AbstractEventLoop
    ) -> Callable[[bytes, Any], Awaitable[None]]:
        async def call(data: bytes, context: Any) -> None:
            current = [context]
            _call.set(current)
            with self._tracked():
                try:
                    await self._send(method.handler(_request(method, data)), context, loop)
                    return
                except Exception as error:
                    code, text = answer_for(error, method.path, sparing=self._sparing)
                finally:
                    current.clear()
                await context.abort(code, text)

        return call

    async def _send(self, items: Any, context: Any, loop: asyncio.AbstractEventLoop) -> None:
        """Send what a streaming method's handler has returned, to its end."""
        try:
            while True:
                item = await bridge.awaited(bridge.following(items), loop)
                if item is bridge.END:
                    return
                try:
                    await context.write(encoded(item))
                except grpc.aio.InternalError:
                    return  # the peer went away in the middle of the message
        finally:
            await bridge.awaited(bridge.close(items), loop)


def _check_binding(path: str) -> None:
    """Raise the OSError that keeps gRPC, which does not tell, from binding a socket."""
    check_descriptors()
    os.mknod(path, stat.S_IFSOCK | 0o600)
    os.unlink(path)


def _report(failure: Failure) -> None:
    if not failure.check(CancelledError):  # stopped meanwhile
        _log.error("{reason}", reason=failure.getErrorMessage())


def _request(method: Method, data: bytes) -> Any:
    return data if method.request is None else parsed(data, method.request, method.path)
