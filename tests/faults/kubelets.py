"""A kubelet after the real one's source; a schedule chooses each of its steps on the wire."""

import os
import stat
from collections.abc import Callable
from typing import Any

import attrs
from google.protobuf.message import Message
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.task import Clock, deferLater

from tests.faults.plugins import Connection
from tests.faults.wire import Wire
from twistdp.errors import CallFailed, PeerUnavailable
from twistdp.kubelet.api import (
    ALLOCATE,
    GET_INFO,
    GET_OPTIONS,
    KUBELET_SOCKET,
    LIST_AND_WATCH,
    NOTIFY_STATUS,
)
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    AllocateRequest,
    ContainerAllocateRequest,
    Empty,
    ListAndWatchResponse,
    RegisterRequest,
)
from twistdp.kubelet.pluginregistration_v1_pb2 import InfoRequest, PluginInfo, RegistrationStatus
from twistdp.tools.backoff import Backoff

DIAL_TIMEOUT = 10.0
"""Seconds that it tries to reach an endpoint."""

AGENT = "grpc-go/1.72.2"
"""The name by which it identifies itself."""


@attrs.define(eq=False)
class Client:
    """A plugin that the kubelet has dialled, or still dials."""

    path: str
    connection: Connection | None = None
    streaming: bool = False

    def close(self, lost: bool) -> None:
        """Drop it."""
        self.streaming = False
        if self.connection is not None:
            self.connection.close(lost)


class Kubelet:
    """One life of a kubelet: from its start until it is killed.

    `lost` is asked, when it hangs up, whether what was on its way to the plugin is lost.
    """

    def __init__(self, directory: str, wire: Wire, clock: Clock, lost: Callable[[], bool]) -> None:
        self.refusal = ""
        self.clients: dict[str, Client] = {}
        """Whose stream's end counts."""
        self.endpoints: dict[str, Client] = {}
        """The plugin that is asked for devices."""
        self.devices: dict[str, dict[str, str]] = {}
        self.alive = True
        self._directory = directory
        self._wire = wire
        self._clock = clock
        self._lost = lost
        self._connections: list[Connection] = []
        self._close: Callable[[], None] = lambda: None
        self._found: dict[str, _Found] = {}
        self._working: list[Deferred[None]] = []

    def start(self, wipe: bool = True) -> None:
        """Delete all sockets and make its own, a moment later."""
        for name in os.listdir(self._directory):
            path = os.path.join(self._directory, name)
            if stat.S_ISSOCK(os.lstat(path).st_mode) and (wipe or name == KUBELET_SOCKET):
                os.unlink(path)
        self._close()
        self._wire.lane().put("kubelet.sock appears", self._listen)

    def _listen(self) -> None:
        path = os.path.join(self._directory, KUBELET_SOCKET)
        if self.alive and os.path.isdir(self._directory) and not os.path.exists(path):
            self._close = self._wire.listen(path, self)

    def kill(self) -> None:
        """End; its socket stays behind, dead."""
        self.alive = False
        self._close()
        for work in list(self._working):
            work.cancel()
        for client in [*self.clients.values(), *self.endpoints.values()]:
            client.streaming = False
        for connection in self._connections:
            connection.close(self._lost())

    def allocatable(self, resource: str) -> set[str]:
        """The devices that pods may get."""
        listed = self.devices.get(resource, {})
        return {id_ for id_, health in listed.items() if health == "Healthy"}

    def is_served(self, resource: str) -> bool:
        """Whether a live plugin of this life stands behind the devices."""
        client = self.endpoints.get(resource)
        return client is not None and client.streaming

    def admit(self) -> None:
        """Give all devices to pods; nobody waits for the answers."""
        for name, client in self.endpoints.items():
            if client.streaming and client.connection is not None:
                ids = sorted(self.allocatable(name))
                pod = ContainerAllocateRequest(devices_ids=ids)
                client.connection.unary(
                    ALLOCATE, AllocateRequest(container_requests=[pod])
                ).addErrback(lambda failure: failure.trap(CallFailed) and None)

    def end_streams(self) -> None:
        """As if it could not take a list."""
        for name, client in list(self.endpoints.items()):
            if client.streaming and client.connection is not None:
                client.close(self._lost())
                self._ended(name, client)

    # Registration at its socket

    def registers(
        self, request: RegisterRequest, answer: Callable[[], None], fail: Callable[[Exception], Any]
    ) -> Callable[[], None]:
        """A Register call has arrived; the result cancels it."""
        if not self.alive:
            fail(PeerUnavailable("UNAVAILABLE", "the kubelet is gone"))
            return lambda: None
        work = Deferred.fromCoroutine(
            self._use(request.resource_name, os.path.join(self._directory, request.endpoint))
        )
        self._keep(work)

        def failed(failure: Any) -> None:
            failure.trap(CallFailed, CancelledError)
            error = failure.value
            if not isinstance(error, CallFailed):
                error = PeerUnavailable("UNAVAILABLE", "the kubelet is gone")
            fail(error)

        work.addCallbacks(lambda _: answer(), failed)
        return work.cancel

    def _keep(self, work: "Deferred[None]") -> None:
        self._working.append(work)

        def forget(outcome: Any) -> Any:
            self._working.remove(work)
            return outcome

        work.addBoth(forget)

    async def _use(self, resource: str, path: str) -> None:
        if self.refusal:
            raise CallFailed("UNKNOWN", self.refusal)
        client = self.clients[resource] = Client(path)
        try:
            client.connection = await self._dial(path)
            await client.connection.unary(GET_OPTIONS, Empty())
            if client.connection.closed:
                raise PeerUnavailable("UNAVAILABLE", "connection lost")
        except (CallFailed, CancelledError) as error:
            # The earlier plugin has been replaced, so its end goes unnoticed.
            self.clients.pop(resource, None)
            if client.connection is not None:
                client.connection.close(False)
            if isinstance(error, CancelledError):
                raise
            raise CallFailed("UNKNOWN", error.details) from error
        self.endpoints[resource] = client
        client.streaming = True
        client.connection.call(
            LIST_AND_WATCH,
            Empty(),
            lambda data: self._take(resource, data),
            lambda code, text: self._ended(resource, client),
        )

    async def _dial(self, path: str) -> Connection:
        deadline = self._clock.seconds() + DIAL_TIMEOUT
        while True:
            await self._wire.later("dial")
            try:
                connection = Connection(self._wire, path, AGENT)
            except PeerUnavailable:
                if self._clock.seconds() >= deadline:
                    raise CallFailed("UNKNOWN", "failed to dial device plugin") from None
                await deferLater(self._clock, 1.0)
            else:
                self._connections.append(connection)
                return connection

    def _take(self, resource: str, data: bytes) -> None:
        if self.alive:
            message = ListAndWatchResponse.FromString(data)
            self.devices[resource] = {device.ID: device.health for device in message.devices}

    def _ended(self, resource: str, client: Client) -> None:
        if not self.alive:
            return
        client.streaming = False
        current = self.clients.pop(resource, None)
        if current is None:
            return
        current.close(self._lost())
        if resource in self.endpoints:
            listed = self.devices.get(resource, {})
            self.devices[resource] = dict.fromkeys(listed, "Unhealthy")

    # Plugins that it finds

    def look(self, registry: str, changed: "frozenset[str] | None") -> None:
        """Something happened in the plugins registry."""
        if not self.alive:
            return
        there = {}
        for name in sorted(os.listdir(registry)) if os.path.isdir(registry) else ():
            path = os.path.join(registry, name)
            found = os.lstat(path)
            if stat.S_ISSOCK(found.st_mode) and not name.startswith("."):
                # Time stamps are as coarse as 10 ms on some kernels and file systems.
                directory = os.stat(registry)
                there[path] = directory.st_ino, found.st_ino, found.st_ctime_ns
        for path in sorted({*self._found, *there}):
            known = self._found.get(path)
            if (
                known is not None
                and known.identity == there.get(path)
                and path not in (changed or ())
            ):
                continue
            if known is not None:
                del self._found[path]
                known.work.cancel()
                client = self.clients.pop(known.resource, None)
                if client is not None and client.path == path:
                    client.close(self._lost())
                    listed = self.devices.get(known.resource, {})
                    self.devices[known.resource] = dict.fromkeys(listed, "Unhealthy")
            if path in there:
                plugin = self._found[path] = _Found(path, there[path])
                plugin.work = Deferred.fromCoroutine(self._keep_trying(plugin))
                self._keep(plugin.work)
                plugin.work.addErrback(lambda failure: failure.trap(CancelledError) and None)

    async def _keep_trying(self, plugin: "_Found") -> None:
        backoff = Backoff(0.5, 122.0)
        while not await self._register(plugin):
            await deferLater(self._clock, backoff.next())

    async def _register(self, plugin: "_Found") -> bool:
        await self._wire.later("find")
        try:
            connection = Connection(self._wire, plugin.path, AGENT)
        except PeerUnavailable:
            return False
        self._connections.append(connection)
        try:
            data = await self._within(1.0, connection, GET_INFO, InfoRequest())
            plugin.resource = PluginInfo.FromString(data).name
            error = ""
            try:
                await self._use(plugin.resource, plugin.path)
            except CallFailed as failure:
                error = failure.details or "failed"
            status = RegistrationStatus(plugin_registered=not error, error=error)
            await self._within(5.0, connection, NOTIFY_STATUS, status)
        except (CallFailed, TimeoutError):
            return False
        finally:
            connection.close(False)
        return not error

    def _within(
        self, seconds: float, connection: Connection, method: str, request: Message
    ) -> Deferred[bytes]:
        return connection.unary(method, request).addTimeout(seconds, self._clock)


@attrs.define(eq=False)
class _Found:
    path: str
    identity: tuple[int, int, int]
    resource: str = ""
    work: "Deferred[None]" = attrs.field(factory=Deferred)
