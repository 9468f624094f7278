"""Asks the kubelet which pod has which device (pod-resources API v1)."""

import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from google.protobuf.message import Message

from twistdp.errors import PeerUnavailable
from twistdp.host import check_server
from twistdp.kubelet.api import (
    POD_RESOURCES_ALLOCATABLE,
    POD_RESOURCES_GET,
    POD_RESOURCES_LIST,
)
from twistdp.model import Holder
from twistdp.rpc import Channel

if TYPE_CHECKING:
    from twistdp.kubelet.podresources_v1_pb2 import (
        ContainerDevices,
        ContainerResources,
        DynamicResource,
        PodResources,
    )

M = TypeVar("M", bound=Message)

MAX_ANSWER: Final = 64 * 1024 * 1024
"""Most bytes of an answer: a full node's exceeds gRPC's usual 4 MiB."""

TIMEOUT: Final = 5.0
"""Seconds for the kubelet to answer."""

Devices = Mapping[str, frozenset[str]]
"""Ids of devices by the full name of their resource."""

Held = Mapping[str, Mapping[str, Holder]]
"""Which container has which device, by resource name and id."""


class Claimed(NamedTuple):
    """A device of dynamic resource allocation that a container has."""

    claim: str
    """The name of the ResourceClaim, which is in `namespace`."""
    namespace: str
    driver: str
    pool: str
    device: str
    cdi_devices: Sequence[str]
    """Qualified CDI names."""


class Container(NamedTuple):
    """What one container has."""

    name: str
    devices: Devices
    claimed: Sequence[Claimed] = ()


class Pod(NamedTuple):
    """One pod; `containers` are without ordinary init containers, which no kubelet lists."""

    namespace: str
    name: str
    containers: Sequence[Container]


def node_names() -> frozenset[str]:
    """The names that this node may have in Kubernetes."""
    return frozenset(filter(None, (os.environ.get("NODE_NAME"), socket.gethostname())))


def only_static(pods: Iterable[str], nodes: Iterable[str]) -> bool:
    """Whether all pods with these names may be static ones of one of the `nodes`.

    Their names end with the node's: see `generatePodName` in the kubelet's pkg/kubelet/config.
    """
    ends = tuple(f"-{node.lower()}" for node in nodes)
    return all(name.endswith(ends) for name in pods)


class PodResourcesClient:
    """Asks the kubelet that listens on the socket `path`.

    Each method raises `CallFailed` if there is no answer within `timeout` seconds or the answer is
    an error, `PeerUnavailable` among them if nobody listens, `MalformedMessage` if the answer
    cannot be understood, and `Untrusted` if another user than root or ours listens.  A kubelet
    answers 100 calls a second, of all its clients together, and refuses further ones.
    """

    def __init__(self, path: str, *, reactor: Any, timeout: float = TIMEOUT) -> None:
        self._path = path
        self._reactor = reactor
        self._timeout = timeout

    async def pods(self) -> Sequence[Pod]:
        """All pods that run on the node, in no order, those without devices too.

        A kubelet that has started lists none for about a second, and for as long as it gets no
        answer from the API server, whatever its pods have.  A pod's devices appear shortly after
        Allocate has returned for it, one container after the other.
        """
        # Imported here: a plugin that loses no device, and at which nobody looks, never asks.
        from twistdp.kubelet.podresources_v1_pb2 import (
            ListPodResourcesRequest,
            ListPodResourcesResponse,
        )

        answer = await self._ask(
            POD_RESOURCES_LIST, ListPodResourcesRequest(), ListPodResourcesResponse
        )
        return [_pod(pod) for pod in answer.pod_resources]

    async def pod(self, namespace: str, name: str) -> Pod:
        """One pod.  A kubelet fails with the status UNKNOWN if no such pod runs."""
        from twistdp.kubelet.podresources_v1_pb2 import (
            GetPodResourcesRequest,
            GetPodResourcesResponse,
        )

        answer = await self._ask(
            POD_RESOURCES_GET,
            GetPodResourcesRequest(pod_name=name, pod_namespace=namespace),
            GetPodResourcesResponse,
        )
        return _pod(answer.pod_resources)

    async def allocatable(self) -> Devices:
        """The healthy devices of all plugins, whether a container has them or not."""
        from twistdp.kubelet.podresources_v1_pb2 import (
            AllocatableResourcesRequest,
            AllocatableResourcesResponse,
        )

        answer = await self._ask(
            POD_RESOURCES_ALLOCATABLE, AllocatableResourcesRequest(), AllocatableResourcesResponse
        )
        return _devices(answer.devices)

    async def _ask(self, method: str, request: Message, answer: type[M]) -> M:
        try:
            check_server(self._path)
        except OSError as error:
            reason = f"nobody listens on {self._path} ({error.strerror})"
            raise PeerUnavailable(
                "UNAVAILABLE", f"{reason}; name the kubelet's with --pod-resources-socket"
            ) from error
        channel = Channel(self._path, reactor=self._reactor, max_receive=MAX_ANSWER)
        try:
            return await channel.unary(method, request, answer, self._timeout)
        finally:
            await channel.close()


def _pod(pod: "PodResources") -> Pod:
    return Pod(pod.namespace, pod.name, [_container(container) for container in pod.containers])


def _container(container: "ContainerResources") -> Container:
    claimed = (each for claim in container.dynamic_resources for each in _claimed(claim))
    return Container(container.name, _devices(container.devices), tuple(claimed))


def _claimed(claim: "DynamicResource") -> Iterable[Claimed]:
    for each in claim.claim_resources:
        yield Claimed(
            claim.claim_name,
            claim.claim_namespace,
            each.driver_name,
            each.pool_name,
            each.device_name,
            [cdi.name for cdi in each.cdi_devices],
        )


def _devices(entries: "Iterable[ContainerDevices]") -> Devices:
    """Each id once: a kubelet has an entry for each pair of device and NUMA node."""
    found: dict[str, set[str]] = {}
    for entry in entries:
        found.setdefault(entry.resource_name, set()).update(entry.device_ids)
    return {resource: frozenset(ids) for resource, ids in found.items()}


def held_by(pods: Iterable[Pod]) -> Held:
    """Which container has which device; resources of which no container has any are left out.

    A device of dynamic resource allocation is there by the name of its driver, as ``pool/device``.
    Of several containers that share one, the first by name counts.
    """
    held: dict[str, dict[str, Holder]] = {}

    def add(resource: str, device: str, holder: Holder) -> None:
        devices = held.setdefault(resource, {})
        devices[device] = min(devices.get(device, holder), holder)

    for pod in pods:
        for container in pod.containers:
            holder = Holder(pod.namespace, pod.name, container.name)
            for resource, ids in container.devices.items():
                for device in ids:
                    add(resource, device, holder)
            for claimed in container.claimed:
                add(claimed.driver, f"{claimed.pool}/{claimed.device}", holder)
    return held


Pairs = Sequence[tuple[str, Holder]]
"""Ids of devices and their holders, sorted."""


def differences(before: Held, after: Held) -> Iterator[tuple[str, Pairs, Pairs]]:
    """Resources whose devices have other holders than before: who got and who gave back what."""
    for resource in sorted({**before, **after}):
        old, new = before.get(resource, {}), after.get(resource, {})
        got, lost = new.items() - old.items(), old.items() - new.items()
        if got or lost:
            yield resource, sorted(got), sorted(lost)
