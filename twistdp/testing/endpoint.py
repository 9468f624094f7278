"""A plugin's registered endpoint, as the emulated kubelet calls it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

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

DIAL_TIMEOUT = 10.0
"""Seconds that a kubelet tries to reach a registered endpoint."""

PRE_START_TIMEOUT = 30.0
"""Seconds that PreStartContainer may take (API: KubeletPreStartContainerRPCTimeoutInSecs)."""

AGENT = "grpc-go/1.72.2"
"""The start of a kubelet's user agent."""


class AdmissionRefused(TwistdpError):
    """The kubelet does not admit a pod; the text is the one that the pod's status shows."""


class Endpoint:
    """One connection to the socket `path`, with its ListAndWatch stream."""

    def __init__(self, path: str, reactor: Any) -> None:
        self.options = DevicePluginOptions()
        self.stream: Stream[ListAndWatchResponse] | None = None
        self._path = path
        self._reactor = reactor
        self._channel = self._connect()

    def _connect(self) -> Channel:
        return Channel(self._path, reactor=self._reactor, agent=AGENT)

    async def dial(self, is_over: Callable[[], bool]) -> None:
        """Ask for the options, again and again until the plugin listens.

        Raises `CallFailed` after `DIAL_TIMEOUT`, or once `is_over`.
        """
        deadline = self._reactor.seconds() + DIAL_TIMEOUT
        while True:
            try:
                self.options = await self._channel.unary(
                    GET_OPTIONS, Empty(), DevicePluginOptions, DIAL_TIMEOUT
                )
                return
            except PeerUnavailable as error:
                if self._reactor.seconds() > deadline:
                    raise CallFailed(
                        "UNKNOWN", "failed to dial device plugin: context deadline exceeded"
                    ) from error
            if is_over():
                raise CallFailed("UNKNOWN", "the kubelet is ending")
            await self._channel.close()
            self._channel = self._connect()
            await deferLater(self._reactor, 0.1)

    def follow(self) -> Stream[ListAndWatchResponse]:
        """Open the ListAndWatch stream."""
        self.stream = self._channel.stream(LIST_AND_WATCH, Empty(), ListAndWatchResponse)
        return self.stream

    def close(self) -> None:
        """End the stream and the connection."""
        if self.stream is not None:
            self.stream.cancel()
        self._channel.close()

    # What the kubelet asks for pods: all raise `AdmissionRefused` when the plugin does

    async def allocate(self, ids: Sequence[str]) -> ContainerAllocateResponse:
        """Allocate devices to one container."""
        answer = await _answer(
            self._channel.unary(
                ALLOCATE,
                AllocateRequest(container_requests=[ContainerAllocateRequest(devices_ids=ids)]),
                AllocateResponse,
            )
        )
        if not answer.container_responses:
            raise AdmissionRefused("no containers return in allocation response")
        response: ContainerAllocateResponse = answer.container_responses[0]
        return response

    async def preferred(
        self, available: Sequence[str], must: Sequence[str], count: int
    ) -> Sequence[str]:
        """The plugin's advice which `count` of the devices `available` to take, `must` included."""
        request = ContainerPreferredAllocationRequest(
            available_deviceIDs=available, must_include_deviceIDs=must, allocation_size=count
        )
        answer = await _answer(
            self._channel.unary(
                GET_PREFERRED_ALLOCATION,
                PreferredAllocationRequest(container_requests=[request]),
                PreferredAllocationResponse,
            )
        )
        return [id_ for part in answer.container_responses[:1] for id_ in part.deviceIDs]

    async def pre_start(self, ids: Iterable[str]) -> None:
        """Announce the start of a container that has these devices."""
        await _answer(
            self._channel.unary(
                PRE_START_CONTAINER,
                PreStartContainerRequest(devices_ids=ids),
                PreStartContainerResponse,
                PRE_START_TIMEOUT,
            )
        )


async def _answer(call: "Deferred[Any]") -> Any:
    try:
        return await call
    except CallFailed as error:
        raise AdmissionRefused(
            f"Allocate failed due to rpc error: code = {error.status} desc = "
            f"{error.details}, which is unexpected"
        ) from error
