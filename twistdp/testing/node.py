"""What the emulated kubelet knows of a resource, and how it chooses devices for pods."""

import random
from collections.abc import Iterable
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from twistdp.errors import CallFailed
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    ContainerAllocateResponse,
    ListAndWatchResponse,
)
from twistdp.rpc import Stream
from twistdp.testing.endpoint import AdmissionRefused, Endpoint
from twistdp.testing.topologymanager import REJECTED, NotAligned, TopologyManager

_log = Logger()

STALE_AFTER = 301.0
"""Seconds after a plugin's end until the capacity becomes 0."""


class ResourceObserver(Protocol):
    """What a resource reports to its kubelet."""

    def list_taken(self, resource: str, message: ListAndWatchResponse) -> None:
        """A resource's plugin has sent a list."""

    def say(self, line: str) -> None:
        """Something happened, in a line for people."""


class NodeResource:
    """One resource of the node: its devices as last listed, and its plugin."""

    def __init__(self, name: str, host: ResourceObserver, reactor: Any) -> None:
        self.name = name
        self.devices: dict[str, str] = {}
        """Ids and health, as in the last list; all unhealthy once its stream has ended."""
        self.numa: dict[str, list[int]] = {}
        """The NUMA nodes of the devices that have any."""
        self.lists = 0
        """How many lists have come."""
        self.listed = False
        """Whether the current plugin has sent a list."""
        self.streams_ended = 0
        """How many streams have ended, without those that the kubelet ended when it stopped."""
        self._host = host
        self._reactor = reactor
        self._stale: IDelayedCall | None = None
        self._over = False
        self._current: Endpoint | None = None
        self._endpoints: list[Endpoint] = []
        self._liveness_lost = False
        self._pre_start_required = False
        """The option of the plugin that was registered last; kept when it has gone."""

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
        """Dial the plugin back and ask for its options, within Register; then follow its stream."""
        endpoint = Endpoint(path, self._reactor)
        try:
            await endpoint.dial(lambda: self._over)
        except CallFailed as error:
            endpoint.close()
            # A real kubelet does not notice the end of the older plugin from now on.
            self._liveness_lost = self.connected
            raise CallFailed("UNKNOWN", error.details) from error
        except CancelledError:
            endpoint.close()
            raise
        if self._over:
            endpoint.close()
            raise CallFailed("UNKNOWN", "the kubelet is ending")
        self._liveness_lost = False
        self._stop_timer()
        self._current = endpoint
        self._pre_start_required = endpoint.options.pre_start_required
        self.listed = False
        self._endpoints.append(endpoint)
        Deferred.fromCoroutine(self._follow(endpoint, endpoint.follow())).addErrback(
            lambda failure: _log.failure("following {name}", failure, name=self.name)
        )

    async def _follow(self, endpoint: Endpoint, stream: Stream[ListAndWatchResponse]) -> None:
        reason = "the plugin ended it"
        try:
            async for message in stream:
                if self._over:
                    break  # the message was on its way when the kubelet ended
                self.listed |= endpoint is self._current
                self._take(message)
        except (CallFailed, CancelledError) as error:
            reason = str(error) or "cancelled"
        endpoint.close()
        self._endpoints.remove(endpoint)
        if self._over:
            return
        self.streams_ended += 1
        # Whichever stream ended, the kubelet drops the plugin that it has now.
        current, self._current = self._current, None
        if current is not None and current is not endpoint:
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
        """The kubelet ends: cancel every stream."""
        self._over = True
        self._stop_timer()
        self._current = None
        for endpoint in self._endpoints:
            endpoint.close()

    def end_stream(self) -> None:
        """Cancel the current plugin's stream, as a kubelet does that cannot accept a message."""
        if self._current is not None:
            self._current.close()

    async def allocate(
        self,
        count: int,
        taken: Iterable[str],
        ids: Iterable[str] | None,
        topology: TopologyManager,
        reusable: Iterable[str] = (),
    ) -> tuple[list[str], ContainerAllocateResponse]:
        """Choose devices and ask the plugin for them, as at a pod's admission.

        Those that are `taken` are not chosen, and those that are `reusable` come first.
        """
        endpoint = self._current
        if endpoint is None or not self._healthy():
            raise AdmissionRefused(
                f"no healthy devices present; cannot allocate unhealthy devices {self.name}"
            )
        first = sorted(reusable)[:count]
        available = self._healthy() - set(taken) | set(first) if ids is None else list(ids)
        count = count if ids is None else len(set(available))
        try:
            near = topology.affinity(self.numa, available, count)
        except NotAligned as error:
            raise AdmissionRefused(REJECTED) from error
        chosen = list(available)
        if ids is None:
            left = sorted(set(available).difference(first))
            chosen = await self._choose(endpoint, count, left, near, first)
        random.shuffle(chosen)  # a kubelet's order is a Go map's
        return chosen, await endpoint.allocate(chosen)

    async def _choose(
        self,
        endpoint: Endpoint,
        count: int,
        available: list[str],
        near: frozenset[int] | None,
        first: list[str],
    ) -> list[str]:
        """Choose those that come `first`, and the rest from the devices `available`, of which those
        on the NUMA nodes `near` come next."""
        if len(first) == count:
            return first
        if len(first) + len(available) < count:
            raise AdmissionRefused(
                f"requested number of devices unavailable for {self.name}. "
                f"Requested: {count}, Available: {len(first) + len(available)}"
            )
        random.shuffle(available)
        aligned = [id_ for id_ in available if near and near & set(self.numa.get(id_, ()))]
        must = first
        if count - len(first) < len(aligned):
            available = [*first, *aligned]
        else:
            must = [*first, *aligned]
            available = [*first, *sorted(available, key=lambda id_: id_ not in aligned)]
        if count == len(must) or not endpoint.options.get_preferred_allocation_available:
            return available[:count]
        preferred = list(await endpoint.preferred(available, must, count))
        # A kubelet ignores advice that does not fit.
        fits = len(preferred) == count and set(must) <= set(preferred) <= set(available)
        return preferred if fits else available[:count]

    async def start_container(self, ids: Iterable[str]) -> None:
        """Call PreStartContainer if the plugin has announced it; before each container start.

        Raises `AdmissionRefused` when it fails; see `FakeKubelet.start_container`.
        """
        if not self._pre_start_required:
            return
        if self._current is None:
            raise AdmissionRefused(f"endpoint {self.name} has been stopped")
        await self._current.pre_start(ids)

    def _healthy(self) -> set[str]:
        return {id_ for id_, health in self.devices.items() if health == "Healthy"}
