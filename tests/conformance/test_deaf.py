"""Tests for `twistdp.conformance.deaf`."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.support.helpers import soon, temporary_directory
from tests.support.servers import server_of
from twistdp.conformance.deaf import open_deaf
from twistdp.errors import CallFailed
from twistdp.kubelet.api import LIST_AND_WATCH
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import Device, Empty, ListAndWatchResponse
from twistdp.rpc.calls import Method
from twistdp.rpc.channel import Channel


class DeafTests(TestCase):
    """Against a gRPC server."""

    async def serve(self, handler: Callable[[Any], Any]) -> str:
        """The path of a server with this ListAndWatch."""
        path = f"{temporary_directory(self)}/a.sock"
        method = Method(LIST_AND_WATCH, Empty, handler, streaming=True)
        await soon(server_of(self, path, method).listen())
        return path

    async def test_takes_nothing(self) -> None:
        """The server's write does not end before the stream does; others' writes do."""
        names = iter("ab")
        written: list[str] = []
        over: Deferred[None] = Deferred()

        async def lists(request: Empty) -> AsyncIterator[ListAndWatchResponse]:
            name = next(names)
            try:
                yield ListAndWatchResponse(devices=[Device(ID=name)])
                written.append(name)
                yield ListAndWatchResponse()
            finally:
                if name == "a":
                    over.callback(None)

        path = await self.serve(lists)
        stream = await open_deaf(path, reactor)
        await soon(stream.answered)
        self.assertFalse(stream.ended)
        channel = Channel(path, reactor=reactor)
        self.addCleanup(channel.close)
        read = channel.stream(LIST_AND_WATCH, Empty(), ListAndWatchResponse)
        for _ in range(2):
            await soon(read.read())
        self.assertEqual((written, over.called, stream.ended), (["b"], False, False))
        stream.close()
        await soon(over)

    async def test_refused(self) -> None:
        """A stream that the server ends, and a server that is not there."""

        refused = True

        async def refuses(request: Empty) -> AsyncIterator[ListAndWatchResponse]:
            if refused:
                raise CallFailed("RESOURCE_EXHAUSTED", "no more")
            yield ListAndWatchResponse()

        for path in (await self.serve(refuses), f"{temporary_directory(self)}/nobody.sock"):
            stream = await open_deaf(path, reactor)
            await soon(stream.answered)
            self.assertTrue(stream.ended)
            stream.close()
