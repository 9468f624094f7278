"""Serves pod-resources v1 about the emulated kubelet's allocations."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

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


def pod_resources_server(
    path: str, pods: Pods, resources: Mapping[str, NodeResource], reactor: Any
) -> Server:
    """A server on the socket `path` for `pods` and the node's `resources`."""

    def list_all(_: ListPodResourcesRequest) -> ListPodResourcesResponse:
        return ListPodResourcesResponse(pod_resources=_pods(pods))

    def get(request: GetPodResourcesRequest) -> GetPodResourcesResponse:
        for pod in _pods(pods):
            if (pod.namespace, pod.name) == (request.pod_namespace, request.pod_name):
                return GetPodResourcesResponse(pod_resources=pod)
        raise CallFailed(
            "UNKNOWN", f"pod {request.pod_name} in namespace {request.pod_namespace} not found"
        )

    def allocatable(_: AllocatableResourcesRequest) -> AllocatableResourcesResponse:
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


def _pods(pods: Pods) -> list[PodResources]:
    def pod_of(holding: Holding) -> tuple[str, str]:
        return holding.namespace, holding.pod

    return [
        PodResources(name=name, namespace=namespace, containers=_containers(holdings))
        for (namespace, name), holdings in groupby(sorted(pods, key=pod_of), pod_of)
    ]


def _containers(holdings: Iterable[Holding]) -> list[ContainerResources]:
    return [
        ContainerResources(
            name=name,
            devices=[
                entry
                for holding in group
                for id_ in holding.ids
                for entry in _entries(holding.resource, id_, holding.numa.get(id_))
            ],
        )
        for name, group in groupby(
            sorted(holdings, key=lambda holding: holding.container),
            lambda holding: holding.container,
        )
    ]


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
