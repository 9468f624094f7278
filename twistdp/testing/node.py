"""What the emulated kubelet knows of resources and pods."""

import random
from collections.abc import Iterable
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.logger import Logger

from twistdp.errors import CallFailed, PeerUnavailable, TwistdpError
from twistdp.kubelet import (
    ALLOCATE,
    GET_OPTIONS,
    GET_PREFERRED_ALLOCATION,
    LIST_AND_WATCH,
    PRE_START_CONTAINER,
)
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    AllocateRequest,
    AllocateResponse,
    ContainerAllocateRequest,
    ContainerAllocateResponse,
    ContainerPreferredAllocationRequest,
    DevicePluginOptions,
    Empty,
    ListAndWatchResponse,
    PreferredAllocationRequest,
    PreferredAllocationResponse,
    PreStartContainerRequest,
    PreStartContainerResponse,
)
from twistdp.rpc import Channel, Stream
from twistdp.testing.topologymanager import REJECTED, NotAligned, TopologyManager

_log = Logger()

DIAL_TIMEOUT = 10.0
"""Seconds that a kubelet tries to reach an endpoint that was registered."""

STALE_AFTER = 301.0
"""Seconds after a plugin's end until the capacity becomes 0."""

PRE_START_TIMEOUT = 30.0
"""Seconds that PreStartContainer may take (API: KubeletPreStartContainerRPCTimeoutInSecs)."""

AGENT = "grpc-go/1.72.2"
"""What a kubelet calls itself, in front of what this gRPC does."""


class AdmissionRefused(TwistdpError):
    """A pod could not be admitted; the text is what its status would show."""


class Host(Protocol):
    """What a resource tells its kubelet."""

    def list_taken(self, resource: str, message: ListAndWatchResponse) -> None:
        """A list of a resource has come from its plugin."""

    def say(self, line: str) -> None:
        """Something happened, in a line for people."""


class _Connection:
    """A registered endpoint: one connection and its ListAndWatch stream."""

    def __init__(self, path: str, reactor: Any) -> None:
        self.channel = Channel(path, reactor=reactor, agent=AGENT)
        self.options = DevicePluginOptions()
        self.stream: Stream[ListAndWatchResponse] | None = None

    def close(self) -> None:
        if self.stream is not None:
            self.stream.cancel()
        self.channel.close()


class NodeResource:
    """One resource of the node: its devices as last sent, and who serves them."""

    def __init__(self, name: str, host: Host, reactor: Any) -> None:
        self.name = name
        self.devices: dict[str, str] = {}
        """Ids and health, as in the last list; all unhealthy when its stream has ended."""
        self.numa: dict[str, list[int]] = {}
        """NUMA nodes of the devices that have some."""
        self.lists = 0
        """How many lists have come."""
        self.listed = False
        """Whether the current plugin has sent a list."""
        self.streams_ended = 0
        """How many streams have ended, but for those that the kubelet's own end has ended."""
        self._host = host
        self._reactor = reactor
        self._stale: IDelayedCall | None = None
        self._over = False
        self._current: _Connection | None = None
        self._connections: list[_Connection] = []
        self._liveness_lost = False
        self._pre_start_required = False
        """What the plugin that was registered last has said; kept when it has gone."""

    @property
    def connected(self) -> bool:
        """Whether the kubelet counts on a live plugin."""
        return self._current is not None

    @property
    def capacity(self) -> int:
        """All devices."""
        return len(self.devices)

    @property
    def allocatable(self) -> int:
        """Healthy devices of a connected plugin."""
        return len(self._healthy()) if self.connected else 0

    async def connect(self, path: str) -> None:
        """Dial the plugin back and ask its options, within Register; then follow its stream."""
        connection = _Connection(path, self._reactor)
        try:
            connection.options = await self._dial(connection, path)
        except CallFailed as error:
            connection.close()
            # Seen in a real kubelet: from now on the end of the older plugin goes unnoticed.
            self._liveness_lost = self.connected
            raise CallFailed("UNKNOWN", error.details) from error
        except CancelledError:
            connection.close()
            raise
        if self._over:
            connection.close()
            raise CallFailed("UNKNOWN", "the kubelet is ending")
        self._liveness_lost = False
        self._stop_timer()
        self._current = connection
        self._pre_start_required = connection.options.pre_start_required
        self.listed = False
        self._connections.append(connection)
        connection.stream = connection.channel.stream(LIST_AND_WATCH, Empty(), ListAndWatchResponse)
        Deferred.fromCoroutine(self._follow(connection)).addErrback(
            lambda failure: _log.failure("following {name}", failure, name=self.name)
        )

    async def _dial(self, connection: _Connection, path: str) -> DevicePluginOptions:
        deadline = self._reactor.seconds() + DIAL_TIMEOUT
        while True:
            try:
                return await connection.channel.unary(
                    GET_OPTIONS, Empty(), DevicePluginOptions, DIAL_TIMEOUT
                )
            except PeerUnavailable as error:
                if self._reactor.seconds() > deadline:
                    raise CallFailed(
                        "UNKNOWN", "failed to dial device plugin: context deadline exceeded"
                    ) from error
            if self._over:
                raise CallFailed("UNKNOWN", "the kubelet is ending")
            await connection.channel.close()
            connection.channel = Channel(path, reactor=self._reactor, agent=AGENT)
            await deferLater(self._reactor, 0.1)

    async def _follow(self, connection: _Connection) -> None:
        assert connection.stream is not None
        reason = "the plugin ended it"
        try:
            async for message in connection.stream:
                if self._over:
                    break  # it was on its way when the kubelet ended
                self.listed |= connection is self._current
                self._take(message)
        except (CallFailed, CancelledError) as error:
            reason = str(error) or "cancelled"
        connection.close()
        self._connections.remove(connection)
        if self._over:
            return
        self.streams_ended += 1
        # Whichever stream ended, the kubelet lets go of the plugin it has now.
        current, self._current = self._current, None
        if current is not None and current is not connection:
            current.close()
        if self._liveness_lost:
            self._current = current
            return
        self.devices = dict.fromkeys(self.devices, "Unhealthy")
        self._stop_timer()
        self._stale = self._reactor.callLater(STALE_AFTER, self._forget)
        self._host.say(f"{self.name}: stream ended ({reason}), allocatable 0")

    def _take(self, message: ListAndWatchResponse) -> None:
        self.devices = {device.ID: device.health for device in message.devices}
        self.numa = {
            device.ID: [node.ID for node in device.topology.nodes]
            for device in message.devices
            if device.HasField("topology")
        }
        self.lists += 1
        self._host.list_taken(self.name, message)
        devices = "1 device" if self.capacity == 1 else f"{self.capacity} devices"
        self._host.say(f"{self.name}: {devices}, {self.allocatable} allocatable")

    def _forget(self) -> None:
        self._stale = None
        if not self.connected:
            self.devices = {}
            self._host.say(f"{self.name}: its plugin did not come back, capacity 0")

    def _stop_timer(self) -> None:
        if self._stale is not None:
            self._stale.cancel()
            self._stale = None

    def disconnect_all(self) -> None:
        """The kubelet ends: every stream is cancelled."""
        self._over = True
        self._stop_timer()
        self._current = None
        for connection in self._connections:
            connection.close()

    def end_stream(self) -> None:
        """Cancel the current plugin's stream, as a kubelet does that cannot take a message."""
        if self._current is not None:
            self._current.close()

    async def allocate(
        self,
        count: int,
        taken: Iterable[str],
        ids: Iterable[str] | None,
        topology: TopologyManager,
    ) -> tuple[list[str], ContainerAllocateResponse]:
        """Choose devices and ask the plugin for them, as at a pod's admission."""
        connection = self._current
        if connection is None or not self._healthy():
            raise AdmissionRefused(
                f"no healthy devices present; cannot allocate unhealthy devices {self.name}"
            )
        available = self._healthy() - set(taken) if ids is None else list(ids)
        count = count if ids is None else len(set(available))
        try:
            near = topology.affinity(self.numa, available, count)
        except NotAligned as error:
            raise AdmissionRefused(REJECTED) from error
        chosen = list(available)
        if ids is None:
            chosen = await self._choose(connection, count, sorted(available), near)
        random.shuffle(chosen)  # a kubelet's order is a Go map's
        answer = await self._asked(
            connection.channel.unary(
                ALLOCATE,
                AllocateRequest(container_requests=[ContainerAllocateRequest(devices_ids=chosen)]),
                AllocateResponse,
            )
        )
        if not answer.container_responses:
            raise AdmissionRefused("no containers return in allocation response")
        return chosen, answer.container_responses[0]

    async def _choose(
        self, connection: _Connection, count: int, available: list[str], near: frozenset[int] | None
    ) -> list[str]:
        """Which of the devices `available`; those on the NUMA nodes `near` come first."""
        if len(available) < count:
            raise AdmissionRefused(
                f"requested number of devices unavailable for {self.name}. "
                f"Requested: {count}, Available: {len(available)}"
            )
        random.shuffle(available)
        aligned = [id_ for id_ in available if near and near & set(self.numa.get(id_, ()))]
        must: list[str] = []
        if count < len(aligned):
            available = aligned
        else:
            must = aligned
            available.sort(key=lambda id_: id_ not in aligned)
        if count == len(must) or not connection.options.get_preferred_allocation_available:
            return available[:count]
        request = ContainerPreferredAllocationRequest(
            available_deviceIDs=available, must_include_deviceIDs=must, allocation_size=count
        )
        answer = await self._asked(
            connection.channel.unary(
                GET_PREFERRED_ALLOCATION,
                PreferredAllocationRequest(container_requests=[request]),
                PreferredAllocationResponse,
            )
        )
        preferred = [id_ for part in answer.container_responses[:1] for id_ in part.deviceIDs]
        # Advice that does not fit is ignored.
        fits = len(preferred) == count and set(must) <= set(preferred) <= set(available)
        return preferred if fits else available[:count]

    async def start_container(self, ids: Iterable[str]) -> None:
        """Call PreStartContainer if the plugin has announced it; before each container start.

        Raises `AdmissionRefused` when it fails; see `FakeKubelet.start_container`.
        """
        connection = self._current
        if not self._pre_start_required:
            return
        if connection is None:
            raise AdmissionRefused(f"endpoint {self.name} has been stopped")
        await self._asked(
            connection.channel.unary(
                PRE_START_CONTAINER,
                PreStartContainerRequest(devices_ids=ids),
                PreStartContainerResponse,
                PRE_START_TIMEOUT,
            )
        )

    async def _asked(self, call: "Deferred[Any]") -> Any:
        try:
            return await call
        except CallFailed as error:
            raise AdmissionRefused(
                f"Allocate failed due to rpc error: code = {error.status} desc = "
                f"{error.details}, which is unexpected"
            ) from error

    def _healthy(self) -> set[str]:
        return {id_ for id_, health in self.devices.items() if health == "Healthy"}
