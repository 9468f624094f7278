"""The answers of a remote method that answers with a stream, as Deferreds."""

import asyncio
from typing import Any, Generic

import grpc
from twisted.internet.defer import Deferred

from twistdp.rpc import bridge
from twistdp.rpc.codec import M, parsed
from twistdp.rpc.status import error_from


class Stream(Generic[M]):
    """The answers of one call; iterate with ``async for``, awaiting Deferreds."""

    def __init__(
        self, method: str, call: Any, answer: type[M], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._method = method
        self._begin = call
        self._call: grpc.aio.UnaryStreamCall[bytes, bytes] | None = None
        self._answer = answer
        self._loop = loop
        self._cancelled = False

    def __aiter__(self) -> "Stream[M]":
        return self

    async def __anext__(self) -> M:
        item = await self.read()
        if item is None:
            raise StopAsyncIteration
        return item

    def read(self) -> Deferred[M | None]:
        """The next answer, None at the regular end; fails as `Channel.unary` does."""
        return bridge.deferred_from(self._read(), self._loop)

    def cancel(self) -> None:
        """End the call; the peer's handler is cancelled, and so is a pending or later read."""
        self._cancelled = True
        # Forget it, and its connection: a read that failed may keep this stream for a while.
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    async def _read(self) -> M | None:
        if self._cancelled:
            raise asyncio.CancelledError
        if self._call is None:
            self._call = self._begin()
        try:
            item = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise error_from(error) from error
        if item is grpc.aio.EOF:
            return None
        return parsed(item, self._answer, self._method)
