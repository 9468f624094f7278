"""A throw-away device plugin that records what a kubelet does to it."""

import os
from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from tests.support.helpers import PATIENCE
from twistdp.errors import CallFailed
from twistdp.kubelet.api import (
    ALLOCATE,
    GET_OPTIONS,
    LIST_AND_WATCH,
    PRE_START_CONTAINER,
    REGISTER,
    VERSION,
)
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    AllocateRequest,
    AllocateResponse,
    ContainerAllocateResponse,
    Device,
    DevicePluginOptions,
    Empty,
    ListAndWatchResponse,
    PreStartContainerRequest,
    PreStartContainerResponse,
    RegisterRequest,
)
from twistdp.rpc.calls import Method
from twistdp.rpc.channel import Channel
from twistdp.rpc.server import Server
from twistdp.tools.latest import Latest


def device_list(*ids: str, health: str = "Healthy") -> ListAndWatchResponse:
    """A list of devices that are all in one state."""
    return ListAndWatchResponse(devices=[Device(ID=id_, health=health) for id_ in ids])


class Recorder:
    """Records events, and waits for more."""

    def __init__(self, reactor: Any) -> None:
        self.events: list[str] = []
        self._reactor = reactor
        self._waiting: list[tuple[str, int, Deferred[None]]] = []

    def record(self, event: str) -> None:
        """Something happened."""
        self.events.append(event)
        for entry in list(self._waiting):
            wanted, count, waiting = entry
            if self.events.count(wanted) >= count and not waiting.called:
                self._waiting.remove(entry)
                waiting.callback(None)

    def seen(self, event: str, count: int = 1, timeout: float = PATIENCE) -> Deferred[None]:
        """Fires when `event` has happened `count` times."""
        waiting: Deferred[None] = Deferred()
        if self.events.count(event) >= count:
            waiting.callback(None)
        else:
            self._waiting.append((event, count, waiting))
            waiting.addTimeout(timeout, self._reactor)
        return waiting


class ThrowAwayPlugin:
    """Serves `resource` on `directory`/`endpoint`; each event is recorded by name."""

    def __init__(self, directory: str, resource: str, endpoint: str, reactor: Any) -> None:
        self.log = Recorder(reactor)
        self.latest: Latest[Any] = Latest(device_list("a", "b"))
        self.options: DevicePluginOptions | Exception = DevicePluginOptions()
        self.requests: list[AllocateRequest] = []
        self.answer = AllocateResponse(container_responses=[ContainerAllocateResponse()])
        self.waiting: Deferred[None] | None = None
        """Allocate is not answered before it fires."""
        self.failing_starts = 0
        """How many calls of PreStartContainer fail from now on."""
        self._directory = directory
        self._resource = resource
        self._endpoint = endpoint
        self._reactor = reactor
        self.methods = [
            Method(GET_OPTIONS, Empty, self._get_options),
            Method(LIST_AND_WATCH, Empty, self._list_and_watch, streaming=True),
            Method(ALLOCATE, AllocateRequest, self._allocate),
            Method(PRE_START_CONTAINER, PreStartContainerRequest, self._pre_start),
        ]
        self._server = Server(os.path.join(directory, endpoint), self.methods, reactor=reactor)

    def serve(self) -> Deferred[None]:
        """Make the socket."""
        return self._server.listen()

    def stop(self) -> Deferred[None]:
        """Stop serving."""
        self.latest.close()
        return self._server.stopService()

    async def register(self, *, version: str = VERSION, resource: str | None = None) -> None:
        """Register; raises what the kubelet's refusal becomes."""
        channel = Channel(os.path.join(self._directory, "kubelet.sock"), reactor=self._reactor)
        request = RegisterRequest(
            version=version,
            endpoint=self._endpoint,
            resource_name=self._resource if resource is None else resource,
        )
        try:
            await channel.unary(REGISTER, request, Empty, 30.0)
        finally:
            await channel.close()
        self.log.record("answered")

    def _get_options(self, _: Empty) -> DevicePluginOptions:
        self.log.record("options")
        if isinstance(self.options, Exception):
            raise self.options
        return self.options

    async def _list_and_watch(self, _: Empty) -> AsyncIterator[Any]:
        self.log.record("stream")
        sent = -1
        try:
            while not self.latest.closed:
                if sent < self.latest.version:
                    sent = self.latest.version
                    yield self.latest.value
                else:
                    await self.latest.newer_than(sent)
        except CancelledError:
            self.log.record("cancelled")
            raise
        finally:
            self.log.record("ended")

    def _pre_start(self, _: PreStartContainerRequest) -> PreStartContainerResponse:
        self.log.record("pre start")
        if self.failing_starts:
            self.failing_starts -= 1
            raise CallFailed("INTERNAL", "it is not ready")
        return PreStartContainerResponse()

    async def _allocate(self, request: AllocateRequest) -> AllocateResponse:
        self.requests.append(request)
        self.log.record("allocate")
        if self.waiting is not None:
            await self.waiting
        return self.answer


UNIMPLEMENTED = CallFailed("UNIMPLEMENTED", "not here")
