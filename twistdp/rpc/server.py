"""A gRPC server as a Twisted service."""

import asyncio
import os
import stat
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any

import grpc
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredLock, execute, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistdp.errors import SocketTaken
from twistdp.host import check_descriptors, remedy_for
from twistdp.rpc import bridge
from twistdp.rpc.address import address
from twistdp.rpc.calls import Calls, EndedCall, Method
from twistdp.rpc.limits import OPTIONS
from twistdp.rpc.needs import check_needs
from twistdp.rpc.privacy import GRPC
from twistdp.rpc.socketfile import SocketFile

_log = Logger()

LATE = 0.3
"""Seconds that cancelled calls get for their clean-up before a stop goes on without them."""

REMOVED = "the next plugin that starts there removes what is left"


class Server(Service):
    """Serves `methods` on the unix socket `path`, mode 0600; see `SocketFile`, which may be given.

    The name appears when the server is ready, and replaces a dead socket but no live server.
    Stopping removes the name, gives calls `grace` seconds to end, and then cancels them.
    `ended` is called after each call.
    """

    def __init__(
        self,
        path: str | SocketFile,
        methods: Iterable[Method],
        *,
        reactor: Any,
        grace: float = 0.3,
        ended: Callable[[EndedCall], None] = lambda call: None,
    ) -> None:
        self.file = path if isinstance(path, SocketFile) else SocketFile(path)
        self.path = self.file.path
        self.place = self.file.bound
        """Where the socket is bound."""
        GRPC.used_by(self)
        self._reactor = reactor
        self._calls = Calls(methods, reactor, ended)
        self._grace = grace
        self._server: grpc.aio.Server | None = None
        # Listening and stopping take turns, in the order of the calls; gRPC cannot stop a server
        # that is just starting.
        self._turn = DeferredLock()
        self._has_listened = False

    def startService(self) -> None:
        """Begin to listen; a failure is logged."""
        super().startService()
        self.listen().addErrback(_report)

    def listen(self) -> Deferred[None]:
        """Make sure that the server runs and its socket has its name; fires when that is so.

        May be called again at any time: it restores a name that was removed, and replaces a server
        whose directory was removed.  Fails with `SocketTaken` while another server is there, with
        `Untrusted` while others may change the directory, and with OSError if the socket cannot be
        made; call it again then.
        """
        if self._server is not None and not self._turn.locked and self.file.is_bound():
            return execute(self.file.publish)
        done: Deferred[None] = Deferred()  # cancelling it leaves the attempt alone
        self._has_listened = True
        self._in_turn(self._listen).addBoth(done.callback)  # a Failure fails it
        return done

    def is_published(self) -> bool:
        """Whether the socket's name is there and ours."""
        return self.file.is_published()

    def withdraw(self) -> None:
        """Remove the socket's name, if it is ours; connections go on, `listen` restores it."""
        self.file.withdraw()

    def stopService(self) -> Deferred[None]:
        """Stop; fires when the last handler has ended and nothing is left on disk."""
        super().stopService()
        with suppress(OSError):  # the clean-up tries again
            self.file.withdraw()
        if not self._has_listened:
            return succeed(None)
        return self._in_turn(self._end)

    def _in_turn(self, step: Callable[[], Coroutine[Any, Any, None]]) -> Deferred[None]:
        loop = bridge.loop_of(self._reactor)
        return self._turn.run(lambda: bridge.deferred_from(step(), loop))

    async def _listen(self) -> None:
        if self._server is not None and not self.file.is_bound():
            # The directory was removed, and the socket in it: its name leads nowhere any more.
            await self._end()
        if self._server is None:
            check_needs()
            bound = self.file.claim()
            with GRPC.opening():
                self._server = server = grpc.aio.server(handlers=[self._calls], options=OPTIONS)
            try:
                server.add_insecure_port(address(bound))
            except RuntimeError as error:
                _check_binding(bound)
                raise OSError(f"{self.path}: gRPC cannot bind {bound}: {error}") from error
            await server.start()
        self.file.publish()

    async def _end(self) -> None:
        server, self._server = self._server, None
        try:
            if server is not None:
                try:
                    await server.stop(self._grace)
                except asyncio.CancelledError:
                    await server.stop(None)
                    raise
            # stop() returns before the last handlers' clean-up has run.
            if late := await self._calls.ended(self._grace + LATE):
                _log.error(
                    "{path}: {count} calls do not end though they were cancelled; stopping "
                    "without them",
                    path=self.path,
                    count=late,
                )
        finally:
            self._clean_up()

    def _clean_up(self) -> None:
        """Leave nothing on disk.  What cannot be removed is logged, and no longer ours."""
        failed: list[Exception] = []
        for step in (self.file.withdraw, self.file.release):
            try:
                step()
            except (OSError, SocketTaken) as error:
                failed.append(error)
        self.file.forget()
        if failed:
            _log.warn(
                "{path}: its server has ended, but it or its private directory cannot be removed: "
                "{reason}; {remedy}",
                path=self.path,
                reason=getattr(failed[0], "strerror", None) or str(failed[0]),
                remedy=remedy_for(failed[0]) or REMOVED,
            )


def _check_binding(path: str) -> None:
    """Raise the OSError that keeps gRPC, which hides it, from binding a socket."""
    check_descriptors()
    os.mknod(path, stat.S_IFSOCK | 0o600)
    os.unlink(path)


def _report(failure: Failure) -> None:
    if not failure.check(CancelledError):  # stopped meanwhile
        _log.error("{reason}", reason=failure.getErrorMessage())
