"""The emulated kubelet's pod-resources API."""

import os
import shutil
import tempfile

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from tests.support.helpers import failure_of
from tests.support.plugins import ThrowAwayPlugin, device_list
from twistdp.errors import CallFailed
from twistdp.kubelet import api
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
from twistdp.testing import podresources
from twistdp.testing.kubelet import FakeKubelet

RESOURCE = "pods.example.com/widget"


class PodResourcesTests(TestCase):
    """The allocations are listed as by a real kubelet."""

    async def start(self) -> None:
        """A kubelet with a plugin; one device has two NUMA nodes, another is unhealthy."""
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        plugins = os.path.join(self.directory, "plugins")
        os.mkdir(plugins)
        path = os.path.join(self.directory, "kubelet.sock")
        self.kubelet = FakeKubelet(plugins, pod_resources=path)
        self.addCleanup(self.kubelet.stop)
        await self.kubelet.start()
        plugin = ThrowAwayPlugin(plugins, RESOURCE, "x.sock", reactor)
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
        own = "kube-proxy-x7k2p"
        self.assertEqual(orders, {("one", "two", own), ("two", "one", own)})

    async def test_does_not_know_its_pods(self) -> None:
        """A kubelet without API server lists no pods, and holds their devices all the same."""
        await self.start()
        await self.kubelet.allocate(RESOURCE, ids=["a"], pod="one")
        self.kubelet.knows_pods = False
        self.assertEqual(await self.listed(), [])
        self.kubelet.knows_pods = True
        self.assertEqual(await self.listed(), ["one", "kube-proxy-x7k2p"])

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
