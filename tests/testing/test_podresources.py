"""The emulated kubelet's pod-resources API."""

import os
import shutil
import tempfile
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from tests.support.helpers import failure_of
from tests.support.kubelets import PatientKubelet, know_pods_at_once
from tests.support.plugins import ThrowAwayPlugin, device_list
from twistdp.errors import CallFailed
from twistdp.kubelet import api
from twistdp.kubelet.checkpoint import Checkpoint
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import NUMANode
from twistdp.kubelet.podresources_v1_pb2 import (
    AllocatableResourcesRequest,
    AllocatableResourcesResponse,
    GetPodResourcesRequest,
    GetPodResourcesResponse,
    ListPodResourcesRequest,
    ListPodResourcesResponse,
)
from twistdp.rpc.channel import Channel
from twistdp.testing import kubelet as kubelet_module
from twistdp.testing import podresources, pods
from twistdp.testing.endpoint import AdmissionRefused

RESOURCE = "pods.example.com/widget"


class PodResourcesTests(TestCase):
    """The allocations are listed as by a real kubelet."""

    async def start(self, **options: Any) -> None:
        """A kubelet with a plugin; one device has two NUMA nodes, another is unhealthy."""
        know_pods_at_once(self)
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        plugins = os.path.join(self.directory, "plugins")
        os.mkdir(plugins)
        path = os.path.join(self.directory, "kubelet.sock")
        self.kubelet = PatientKubelet(plugins, pod_resources=path, **options)
        self.addCleanup(self.kubelet.stop)
        await self.kubelet.start()
        self.plugin = plugin = ThrowAwayPlugin(plugins, RESOURCE, "x.sock", reactor)
        self.addCleanup(plugin.stop)
        devices = device_list("a", "b")
        devices.devices[0].topology.nodes.extend([NUMANode(ID=0), NUMANode(ID=1)])
        devices.MergeFrom(device_list("c", health="Unhealthy"))
        plugin.latest.publish(devices)
        await plugin.serve()
        await plugin.register()
        await self.kubelet.until(lambda: self.kubelet.allocatable(RESOURCE) == 2)
        self.channel = Channel(path, reactor=reactor)
        self.addCleanup(self.channel.close)

    async def test_list(self) -> None:
        """List has an entry for each device and NUMA node of each container of each pod."""
        await self.start()
        await self.kubelet.allocate(RESOURCE, ids=["a"], pod="one")
        await self.kubelet.allocate(RESOURCE, ids=["b"], pod="two", container="side")
        answer = await self.channel.unary(
            api.POD_RESOURCES_LIST, ListPodResourcesRequest(), ListPodResourcesResponse
        )
        found = [
            (pod.name, container.name, list(entry.device_ids), [n.ID for n in entry.topology.nodes])
            for pod in answer.pod_resources
            for container in pod.containers
            for entry in container.devices
        ]
        self.assertEqual(
            sorted(found),
            [("one", "main", ["a"], [0]), ("one", "main", ["a"], [1]), ("two", "side", ["b"], [])],
        )

    async def test_get(self) -> None:
        """Get answers for one pod and refuses an unknown one."""
        await self.start()
        await self.kubelet.allocate(RESOURCE, ids=["b"], pod="one")
        answer = await self.channel.unary(
            api.POD_RESOURCES_GET,
            GetPodResourcesRequest(pod_name="one", pod_namespace="default"),
            GetPodResourcesResponse,
        )
        (container,) = answer.pod_resources.containers
        self.assertEqual(list(container.devices[0].device_ids), ["b"])
        await self.assertFailure(
            self.channel.unary(
                api.POD_RESOURCES_GET,
                GetPodResourcesRequest(pod_name="two", pod_namespace="default"),
                GetPodResourcesResponse,
            ),
            CallFailed,
        )

    async def listed(self) -> list[str]:
        """The names of the pods that are listed."""
        answer = await self.channel.unary(
            api.POD_RESOURCES_LIST, ListPodResourcesRequest(), ListPodResourcesResponse
        )
        return [pod.name for pod in answer.pod_resources]

    async def test_order(self) -> None:
        """The order of pods differs from answer to answer."""
        await self.start()
        await self.kubelet.allocate(RESOURCE, ids=["a"], pod="one")
        await self.kubelet.allocate(RESOURCE, ids=["b"], pod="two")
        self.patch(podresources, "BURST", 1000)
        orders = {tuple(await self.listed()) for _ in range(9)}
        while len(orders) < 2:
            orders.add(tuple(await self.listed()))
        for order in orders:
            self.assertEqual(sorted(order), ["kube-proxy-x7k2p", "one", "two"])

    async def test_does_not_know_its_pods(self) -> None:
        """A kubelet that starts lists static pods, and the others when it knows them."""
        await self.start()
        await self.kubelet.allocate(RESOURCE, ids=["a"], pod="one")
        self.kubelet.run("scheduler-node", namespace="kube-system", static=True)
        self.patch(kubelet_module, "KNOWS_AFTER", 1000.0)
        await self.kubelet.restart()
        self.assertEqual(await self.listed(), ["scheduler-node"])
        await failure_of(self.get("one"), CallFailed)
        self.kubelet.api_server = False
        self.patch(kubelet_module, "KNOWS_AFTER", 0.0)
        self.assertEqual(await self.listed(), ["scheduler-node"])
        self.kubelet.api_server = True
        known = ["kube-proxy-x7k2p", "one", "scheduler-node"]
        self.assertEqual(sorted(await self.listed()), known)
        await self.get("one")
        self.kubelet.api_server = False
        self.assertEqual(sorted(await self.listed()), known)

    def get(self, pod: str) -> Deferred[GetPodResourcesResponse]:
        """The answer to Get."""
        request = GetPodResourcesRequest(pod_name=pod, pod_namespace="default")
        return self.channel.unary(api.POD_RESOURCES_GET, request, GetPodResourcesResponse)

    async def test_before_allocate(self) -> None:
        """A pod is listed while its plugin is asked, and not any more when it is refused."""
        await self.start()
        self.plugin.waiting = Deferred()
        admitted = self.kubelet.allocate(RESOURCE, pod="one")
        await self.plugin.log.seen("allocate")
        answer = await self.get("one")
        (container,) = answer.pod_resources.containers
        self.assertEqual((container.name, list(container.devices)), ("main", []))
        self.plugin.waiting.errback(CallFailed("INTERNAL", "it is broken"))
        await failure_of(admitted, AdmissionRefused)
        self.assertNotIn("one", await self.listed())

    async def test_end(self) -> None:
        """A pod that ends is listed with its devices until it is forgotten."""
        await self.start()
        self.patch(pods, "LEAVING", (3600.0, 3600.0))
        await self.kubelet.allocate(RESOURCE, pod="one")
        self.kubelet.release("one")
        self.assertTrue((await self.get("one")).pod_resources.containers[0].devices)
        self.patch(pods, "LEAVING", (0.1, 0.1))
        await self.kubelet.allocate(RESOURCE, pod="two")
        self.kubelet.release("two")
        await self.kubelet.forgotten("two")
        self.assertNotIn("two", await self.listed())

    async def test_ended_pods(self) -> None:
        """A kubelet before 1.34 lists them without devices."""
        await self.start(list_ended_pods=True)
        await self.kubelet.allocate(RESOURCE, ids=["b"], pod="one")
        self.kubelet.release("one", force=True)
        (container,) = (await self.get("one")).pod_resources.containers
        self.assertEqual(list(container.devices), [])

    async def test_init_container(self) -> None:
        """The checkpoint has an init container, no answer has; Allocate gives its device again."""
        await self.start()
        await self.kubelet.allocate(RESOURCE, pod="one", container="setup", init=True)
        (held,) = self.kubelet.pods
        self.assertEqual(list((await self.get("one")).pod_resources.containers), [])
        kept = Checkpoint(self.kubelet.directory).kept_ids()
        self.assertEqual(kept, {(RESOURCE, id_) for id_ in held.ids})
        await self.kubelet.allocate(RESOURCE, 2, pod="one")
        first, second = (request.container_requests[0] for request in self.plugin.requests)
        self.assertLess(set(first.devices_ids), set(second.devices_ids))
        (container,) = (await self.get("one")).pod_resources.containers
        self.assertEqual(container.name, "main")

    def test_limit(self) -> None:
        """Ten calls at once, and a hundred a second, are answered; others are refused."""
        clock = Clock()
        limit = podresources.CallLimit(clock)
        for _ in range(10):
            limit.take()
        error = self.assertRaises(CallFailed, limit.take)
        self.assertEqual(str(error), "RESOURCE_EXHAUSTED: rejected by rate limit")
        clock.advance(0.05)
        for _ in range(4):
            limit.take()
        clock.advance(100.0)
        for _ in range(10):
            limit.take()
        self.assertRaises(CallFailed, limit.take)

    async def test_too_many_calls(self) -> None:
        """All three calls are counted together."""
        await self.start()
        self.patch(podresources, "RATE", 0)
        for _ in range(podresources.BURST):
            await self.listed()
        for path, request, answer in (
            (api.POD_RESOURCES_LIST, ListPodResourcesRequest(), ListPodResourcesResponse),
            (api.POD_RESOURCES_GET, GetPodResourcesRequest(), GetPodResourcesResponse),
            (
                api.POD_RESOURCES_ALLOCATABLE,
                AllocatableResourcesRequest(),
                AllocatableResourcesResponse,
            ),
        ):
            error = await failure_of(self.channel.unary(path, request, answer), CallFailed)
            self.assertEqual(error.status, "RESOURCE_EXHAUSTED")

    async def test_allocatable(self) -> None:
        """Unhealthy devices are not among the allocatable ones."""
        await self.start()
        answer = await self.channel.unary(
            api.POD_RESOURCES_ALLOCATABLE,
            AllocatableResourcesRequest(),
            AllocatableResourcesResponse,
        )
        self.assertEqual({id_ for e in answer.devices for id_ in e.device_ids}, {"a", "b"})
