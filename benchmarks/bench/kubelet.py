"""A kubelet that measures times: it stores bytes as they arrive, and parses them afterwards.

The emulator of `twistdp.testing` keeps account of every device, which costs as much as what is to
be measured; this one does on the wire what that one does, and nothing else.
"""

import asyncio
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs
import grpc

from twistdp.kubelet import GET_OPTIONS, KUBELET_SOCKET, LIST_AND_WATCH, REGISTER
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import ListAndWatchResponse, RegisterRequest

_OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.default_authority", "localhost")]


@attrs.define
class Resource:
    """A resource on the socket `path`; times are in seconds of `time.perf_counter`."""

    path: str
    registered: float
    lists: int = 0
    message: bytes = b""
    """The bytes of the last list."""
    broken: bool = False
    """Whether its stream has ended."""

    def ids(self) -> list[str]:
        """The devices of the last list."""
        return [device.ID for device in ListAndWatchResponse.FromString(self.message).devices]


class Kubelet:
    """Plays the kubelet in `directory`; `private`, on the same file system, is its own."""

    def __init__(self, directory: str, private: str) -> None:
        self.directory = directory
        self.resources: dict[str, Resource] = {}
        """The resources since the last start, by name, in the order of their registration."""
        self.started = 0.0
        """The time when kubelet.sock was there after the last start."""
        self._socket = os.path.join(directory, KUBELET_SOCKET)
        self._private = private
        self._latest = 0.0
        self._server: Any = None
        self._streams: set[asyncio.Task[None]] = set()
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[float]]] = []

    async def start(self) -> None:
        """Serve, delete every socket in the directory, and make kubelet.sock."""
        self.resources = {}
        self._server = grpc.aio.server()
        register = grpc.unary_unary_rpc_method_handler(self._register)
        service, method = REGISTER.strip("/").split("/")
        handler = grpc.method_handlers_generic_handler(service, {method: register})
        self._server.add_generic_rpc_handlers((handler,))
        # gRPC removes its socket when it stops, but a kubelet does not: so it has another name.
        private = os.path.join(self._private, f"{time.monotonic_ns()}.sock")
        self._server.add_insecure_port(f"unix:{private}")
        await self._server.start()
        for entry in os.scandir(self.directory):
            if stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode):
                os.unlink(entry.path)
        os.link(private, self._socket)
        self.started = time.perf_counter()

    async def stop(self) -> None:
        """End all streams and stop; the dead socket remains."""
        streams, self._streams = self._streams, set()
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        if self._server is not None:
            await self._server.stop(None)

    async def until(self, condition: Callable[[], bool], timeout: float) -> float:
        """The time of the arrival that made `condition` true.

        The condition is checked now, and whenever anything arrives.

        Raises TimeoutError after `timeout` seconds.
        """
        if condition():
            return self._latest
        waiting: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.append((condition, waiting))
        return await asyncio.wait_for(waiting, timeout)

    async def _register(self, data: bytes, context: Any) -> bytes:
        now = time.perf_counter()
        request = RegisterRequest.FromString(data)
        path = os.path.join(self.directory, request.endpoint)
        channel = grpc.aio.insecure_channel(f"unix:{path}", options=_OPTIONS)
        await channel.unary_unary(GET_OPTIONS)(b"", timeout=10.0)
        resource = self.resources[request.resource_name] = Resource(path, now)
        stream = asyncio.create_task(self._follow(channel, resource))
        self._streams.add(stream)
        self._arrived(now)
        return b""

    async def _follow(self, channel: Any, resource: Resource) -> None:
        try:
            call = channel.unary_stream(LIST_AND_WATCH)(b"")
            with suppress(grpc.aio.AioRpcError):
                async for message in call:
                    now = time.perf_counter()
                    resource.lists += 1
                    resource.message = message
                    self._arrived(now)
            resource.broken = True
        finally:
            await channel.close()

    def _arrived(self, now: float) -> None:
        self._latest = now
        for entry in list(self._waiting):
            condition, waiting = entry
            if waiting.done():
                self._waiting.remove(entry)
            elif condition():
                self._waiting.remove(entry)
                waiting.set_result(now)
