"""A gRPC client whose calls are Deferreds."""

import asyncio
from typing import Any

import grpc
from google.protobuf.message import Message
from twisted.internet.defer import Deferred, succeed

from twistdp.errors import CallTimedOut, PeerUnavailable
from twistdp.rpc import bridge
from twistdp.rpc.address import Peer
from twistdp.rpc.codec import M, encoded, parsed
from twistdp.rpc.needs import check_needs
from twistdp.rpc.privacy import GRPC
from twistdp.rpc.status import error_from
from twistdp.rpc.stream import Stream

_OPTIONS = [
    # Without it, one refused attempt makes all channels of the process wait a second.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
]


class Channel:
    """A connection to the server on the unix socket `path`, made at the first call.

    `max_receive` limits the size of an answer, in bytes; the default is gRPC's own 4 MiB.
    `authority` is the header ``:authority``; `agent` begins the header ``user-agent``.
    """

    def __init__(
        self,
        path: str,
        *,
        reactor: Any,
        max_receive: int = 4 * 1024 * 1024,
        # What grpc-go sends; kubelets and plugins have refused other authorities.
        authority: str = "localhost",
        agent: str = "twistdp",
    ) -> None:
        self._path = self.place = path
        GRPC.used_by(self)
        self._loop = bridge.loop_of(reactor)
        self._options = [
            *_OPTIONS,
            ("grpc.default_authority", authority),
            ("grpc.primary_user_agent", agent),
            ("grpc.max_receive_message_length", max_receive),
        ]
        self._channel: grpc.aio.Channel | None = None
        self._peer: Peer | None = None
        self._closed = False

    def unary(
        self, method: str, request: Message | bytes, answer: type[M], timeout: float | None = None
    ) -> Deferred[M]:
        """Call ``/package.Service/Method``; fires with an `answer`.

        Fails with `PeerUnavailable`, with `CallTimedOut` after `timeout` seconds, with
        `CallFailed` for any other status, and with CancelledError when cancelled, which
        cancels the call at the peer too.
        """

        async def call() -> M:
            unary = self._open().unary_unary(method)
            try:
                # Not gRPC's own, which reads the wall clock.
                async with asyncio.timeout(timeout):
                    data = await unary(encoded(request))
            except TimeoutError:
                raise CallTimedOut("DEADLINE_EXCEEDED", f"no answer within {timeout} s") from None
            except grpc.aio.AioRpcError as error:
                raise error_from(error) from error
            return parsed(data, answer, method)

        return bridge.deferred_from(call(), self._loop)

    def stream(self, method: str, request: Message | bytes, answer: type[M]) -> Stream[M]:
        """Call a method that answers with a stream."""

        def call() -> grpc.aio.UnaryStreamCall[bytes, bytes]:
            return self._open().unary_stream(method)(encoded(request))

        return Stream(method, call, answer, self._loop)

    def close(self) -> Deferred[None]:
        """Close the connection, even if cancelled; calls that still run fail, as do later ones."""
        self._closed = True
        channel, self._channel = self._channel, None
        if channel is None:
            return succeed(None)
        ending = self._loop.create_task(self._end(channel))  # one that is cancelled never begins
        return bridge.deferred_from(bridge.done(ending), self._loop)

    def _open(self) -> grpc.aio.Channel:
        if self._closed:
            raise PeerUnavailable("UNAVAILABLE", f"the channel to {self._path} has been closed")
        if self._channel is None:
            try:
                check_needs()
                self._peer = Peer(self._path)
            except OSError as error:
                raise PeerUnavailable("UNAVAILABLE", str(error)) from error
            with GRPC.opening():
                self._channel = grpc.aio.insecure_channel(self._peer.address, options=self._options)
        return self._channel

    async def _end(self, channel: grpc.aio.Channel) -> None:
        try:
            await channel.close()
        finally:
            if self._peer is not None:
                self._peer.close()
