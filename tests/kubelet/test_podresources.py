"""Tests for `twistdp.kubelet.podresources`."""

import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.support.helpers import soon, temporary_directory
from tests.support.plugins import ThrowAwayPlugin, device_list
from tests.support.servers import server_of
from twistdp.errors import CallFailed
from twistdp.kubelet.api import POD_RESOURCES_LIST
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import NUMANode
from twistdp.kubelet.podresources import holders
from twistdp.kubelet.podresources_v1_pb2 import (
    ContainerDevices,
    ContainerResources,
    ListPodResourcesRequest,
    ListPodResourcesResponse,
    PodResources,
)
from twistdp.rpc.calls import Method
from twistdp.testing.kubelet import FakeKubelet

RESOURCE = "pods.example.com/widget"


class HoldersTests(TestCase):
    """Tests for `holders`."""

    def setUp(self) -> None:
        """Make a place for sockets."""
        self.directory = temporary_directory(self)
        self.path = os.path.join(self.directory, "pods.sock")

    def held(self, **options: Any) -> "Deferred[dict[str, set[str]] | None]":
        """The answer of `holders`."""
        return soon(Deferred.fromCoroutine(holders(self.path, reactor=reactor, **options)))

    async def answering(self, answer: Any) -> None:
        """A kubelet that answers so, or calls the function."""
        handler = answer if callable(answer) else lambda _: answer
        method = Method(POD_RESOURCES_LIST, ListPodResourcesRequest, handler)
        await soon(server_of(self, self.path, method).listen())

    async def test_of_an_emulated_kubelet(self) -> None:
        """Each id that pods hold is there once, by resource, however many NUMA nodes it has."""
        plugins = os.path.join(self.directory, "plugins")
        os.mkdir(plugins)
        kubelet = FakeKubelet(plugins, pod_resources=self.path)
        self.addCleanup(kubelet.stop)
        await kubelet.start()
        plugin = ThrowAwayPlugin(plugins, RESOURCE, "x.sock", reactor)
        self.addCleanup(plugin.stop)
        devices = device_list("a", "b", "c")
        devices.devices[0].topology.nodes.extend([NUMANode(ID=0), NUMANode(ID=1)])
        plugin.latest.publish(devices)
        await plugin.serve()
        await plugin.register()
        await kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 3)
        self.assertIsNone(await self.held())
        await kubelet.allocate(RESOURCE, ids=["a"], pod="one")
        await kubelet.allocate(RESOURCE, ids=["b"], pod="two", container="side")
        self.assertEqual(await self.held(), {RESOURCE: {"a", "b"}})

    async def test_all_containers_and_resources(self) -> None:
        """Several resources, pods, containers and ids in one entry are all counted."""

        def container(*entries: tuple[str, list[str]]) -> ContainerResources:
            return ContainerResources(
                devices=[ContainerDevices(resource_name=name, device_ids=i) for name, i in entries]
            )

        await self.answering(
            ListPodResourcesResponse(
                pod_resources=[
                    PodResources(
                        containers=[container(("x/a", ["1", "2"]), ("x/b", ["1"])), container()]
                    ),
                    PodResources(containers=[container(("x/a", ["3"]))]),
                    PodResources(),
                ]
            )
        )
        self.assertEqual(await self.held(), {"x/a": {"1", "2", "3"}, "x/b": {"1"}})

    async def test_nothing_held(self) -> None:
        """Pods that hold nothing hold nothing."""
        pod = PodResources(name="p", containers=[ContainerResources(name="c")])
        await self.answering(ListPodResourcesResponse(pod_resources=[pod]))
        self.assertEqual(await self.held(), {})

    async def test_no_pods(self) -> None:
        """A kubelet that lists no pod does not know its pods yet."""
        await self.answering(ListPodResourcesResponse())
        self.assertIsNone(await self.held())

    async def test_large_answer(self) -> None:
        """A node's answer may be larger than gRPC usually takes."""
        ids = [f"{number:063d}" for number in range(80_000)]
        container = ContainerResources(
            devices=[ContainerDevices(resource_name="x/a", device_ids=ids)]
        )
        answer = ListPodResourcesResponse(pod_resources=[PodResources(containers=[container])])
        self.assertGreater(answer.ByteSize(), 5_000_000)
        await self.answering(answer)
        self.assertEqual(await self.held(), {"x/a": set(ids)})

    async def test_nobody_there(self) -> None:
        """Without a listening socket the holders are unknown."""
        self.assertIsNone(await self.held())
        self.path = os.path.join(self.directory, "missing", "pods.sock")
        self.assertIsNone(await self.held())

    async def test_no_answer_in_time(self) -> None:
        """A kubelet that hangs is not waited for."""
        await self.answering(lambda _: Deferred())
        self.assertIsNone(await self.held(timeout=0.05))

    async def test_error(self) -> None:
        """After a refusal, such as for too many calls, the holders are unknown."""

        def refuse(_: ListPodResourcesRequest) -> ListPodResourcesResponse:
            raise CallFailed("RESOURCE_EXHAUSTED", "rejected by rate limit")

        await self.answering(refuse)
        self.assertIsNone(await self.held())

    async def test_not_a_message(self) -> None:
        """Bytes that do not parse are no answer."""
        await self.answering(b"\xff\xff")
        self.assertIsNone(await self.held())
