"""Serves pod-resources v1 about the emulated kubelet's allocations."""

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime

from twistdp.errors import CallFailed
from twistdp.kubelet import POD_RESOURCES_ALLOCATABLE, POD_RESOURCES_GET, POD_RESOURCES_LIST
from twistdp.kubelet.podresources_v1_pb2 import (
    AllocatableResourcesRequest,
    AllocatableResourcesResponse,
    ContainerDevices,
    ContainerResources,
    GetPodResourcesRequest,
    GetPodResourcesResponse,
    ListPodResourcesRequest,
    ListPodResourcesResponse,
    NUMANode,
    PodResources,
    TopologyInfo,
)
from twistdp.rpc import Method, Server
from twistdp.testing.node import NodeResource
from twistdp.testing.pods import Holding, Pods

BURST: Final = 10
"""Calls that a kubelet answers at once, when it was not called for a while."""

RATE: Final = 100
"""Calls that it answers a second."""

_NODES_OWN: Final = PodResources(
    name="kube-proxy-x7k2p",
    namespace="kube-system",
    containers=[ContainerResources(name="kube-proxy")],
)
"""A pod without devices: a kubelet lists these too, and every node runs some."""


def pod_resources_server(
    path: str,
    pods: Pods,
    resources: Mapping[str, NodeResource],
    reactor: Any,
    *,
    knows_pods: Callable[[], bool] = lambda: True,
) -> Server:
    """A server on the socket `path` for `pods` and the node's `resources`.

    It lists only static pods while it does not know the others, and refuses calls that are too
    many, as a kubelet does.
    """
    limit = CallLimit(reactor)

    def list_all(_: ListPodResourcesRequest) -> ListPodResourcesResponse:
        limit.take()
        return ListPodResourcesResponse(pod_resources=_pods(pods, knows_pods()))

    def get(request: GetPodResourcesRequest) -> GetPodResourcesResponse:
        limit.take()
        for pod in _pods(pods, knows_pods()):
            if (pod.namespace, pod.name) == (request.pod_namespace, request.pod_name):
                return GetPodResourcesResponse(pod_resources=pod)
        raise CallFailed(
            "UNKNOWN", f"pod {request.pod_name} in namespace {request.pod_namespace} not found"
        )

    def allocatable(_: AllocatableResourcesRequest) -> AllocatableResourcesResponse:
        limit.take()
        return AllocatableResourcesResponse(
            devices=[
                entry
                for node in resources.values()
                if node.connected
                for id_, health in node.devices.items()
                if health == "Healthy"
                for entry in _entries(node.name, id_, node.numa.get(id_))
            ]
        )

    methods = [
        Method(POD_RESOURCES_LIST, ListPodResourcesRequest, list_all),
        Method(POD_RESOURCES_GET, GetPodResourcesRequest, get),
        Method(POD_RESOURCES_ALLOCATABLE, AllocatableResourcesRequest, allocatable),
    ]
    return Server(path, methods, reactor=reactor)


class CallLimit:
    """Lets `BURST` calls pass at once, and `RATE` a second, of all clients together."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._calls = float(BURST)
        self._since = clock.seconds()

    def take(self) -> None:
        """Count a call; raises `CallFailed` for one that is too many."""
        now = self._clock.seconds()
        self._calls = min(BURST, self._calls + (now - self._since) * RATE)
        self._since = now
        if self._calls < 1:
            raise CallFailed("RESOURCE_EXHAUSTED", "rejected by rate limit")
        self._calls -= 1


def _pods(pods: Pods, knows_pods: bool) -> list[PodResources]:
    """All pods that are known, in random order, as a kubelet keeps them in a Go map."""
    found = [
        PodResources(
            name=pod.name,
            namespace=pod.namespace,
            containers=[_container(name, pod.held(name)) for name in pod.containers],
        )
        for pod in pods.all()
        if knows_pods or pod.static
    ]
    found += [_NODES_OWN] if knows_pods else []
    random.shuffle(found)
    return found


def _container(name: str, holdings: Iterable[Holding]) -> ContainerResources:
    return ContainerResources(
        name=name,
        devices=_shuffled(
            entry
            for held in holdings
            for id_ in held.ids
            for entry in _entries(held.resource, id_, held.numa.get(id_))
        ),
    )


def _shuffled(entries: Iterable[ContainerDevices]) -> list[ContainerDevices]:
    found = list(entries)
    random.shuffle(found)
    return found


def _entries(resource: str, id_: str, numa: list[int] | None) -> list[ContainerDevices]:
    """One entry for each pair of device and NUMA node, as a kubelet makes them."""
    if not numa:
        return [ContainerDevices(resource_name=resource, device_ids=[id_])]
    return [
        ContainerDevices(
            resource_name=resource,
            device_ids=[id_],
            topology=TopologyInfo(nodes=[NUMANode(ID=node)]),
        )
        for node in numa
    ]
