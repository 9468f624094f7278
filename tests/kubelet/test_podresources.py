"""Tests for `twistdp.kubelet.podresources`."""

import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.support.helpers import failure_of, soon, temporary_directory
from tests.support.kubelets import PatientKubelet, know_pods_at_once
from tests.support.plugins import ThrowAwayPlugin, device_list
from tests.support.servers import server_of
from twistdp.errors import CallFailed, CallTimedOut, MalformedMessage, PeerUnavailable
from twistdp.kubelet.api import POD_RESOURCES_LIST
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import NUMANode
from twistdp.kubelet.podresources import Claimed, Container, Pod, PodResourcesClient, held_by
from twistdp.kubelet.podresources_v1_pb2 import (
    CDIDevice,
    ClaimResource,
    ContainerDevices,
    ContainerResources,
    DynamicResource,
    ListPodResourcesRequest,
    ListPodResourcesResponse,
    PodResources,
)
from twistdp.model import Holder
from twistdp.rpc.calls import Method

RESOURCE = "pods.example.com/widget"


class ClientTests(TestCase):
    """Tests for `PodResourcesClient`."""

    def setUp(self) -> None:
        """Make a place for sockets."""
        self.directory = temporary_directory(self)
        self.path = os.path.join(self.directory, "pods.sock")

    def client(self, **options: Any) -> PodResourcesClient:
        """A client of the socket."""
        return PodResourcesClient(self.path, reactor=reactor, **options)

    def listed(self, **options: Any) -> Deferred[Any]:
        """The answer to List."""
        return soon(Deferred.fromCoroutine(self.client(**options).pods()))

    async def answering(self, answer: Any) -> None:
        """A kubelet that answers so, or calls the function."""
        handler = answer if callable(answer) else lambda _: answer
        method = Method(POD_RESOURCES_LIST, ListPodResourcesRequest, handler)
        await soon(server_of(self, self.path, method).listen())

    async def test_of_an_emulated_kubelet(self) -> None:
        """Each id is there once, however many NUMA nodes it has, in each of the three answers."""
        know_pods_at_once(self)
        plugins = os.path.join(self.directory, "plugins")
        os.mkdir(plugins)
        kubelet = PatientKubelet(plugins, pod_resources=self.path)
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
        (own,) = await self.listed()  # the node's
        self.assertEqual(own.containers[0].devices, {})
        await kubelet.allocate(RESOURCE, ids=["a"], pod="one")
        await kubelet.allocate(RESOURCE, ids=["b"], pod="two", container="side")
        one = Pod("default", "one", [Container("main", {RESOURCE: frozenset("a")})])
        two = Pod("default", "two", [Container("side", {RESOURCE: frozenset("b")})])
        self.assertEqual(sorted(await self.listed(), key=lambda pod: pod.name), [own, one, two])
        self.assertEqual(await self.client().pod("default", "two"), two)
        error = await failure_of(self.client().pod("default", "three"), CallFailed)
        self.assertEqual(error.status, "UNKNOWN")
        self.assertEqual(await self.client().allocatable(), {RESOURCE: frozenset("abc")})

    async def test_dynamic_resources(self) -> None:
        """What a container has by claims is there too."""
        claim = DynamicResource(
            claim_name="mine",
            claim_namespace="lab",
            claim_resources=[
                ClaimResource(
                    driver_name="gpu.example.com",
                    pool_name="node-1",
                    device_name="gpu-0",
                    cdi_devices=[CDIDevice(name="gpu.example.com/gpu=0")],
                )
            ],
        )
        container = ContainerResources(name="c", dynamic_resources=[claim])
        pod = PodResources(name="p", namespace="lab", containers=[container])
        await self.answering(ListPodResourcesResponse(pod_resources=[pod]))
        cdi = ["gpu.example.com/gpu=0"]
        claimed = Claimed("mine", "lab", "gpu.example.com", "node-1", "gpu-0", cdi)
        pods = await self.listed()
        self.assertEqual(pods, [Pod("lab", "p", [Container("c", {}, (claimed,))])])
        self.assertEqual(
            held_by(pods), {"gpu.example.com": {"node-1/gpu-0": Holder("lab", "p", "c")}}
        )

    async def test_large_answer(self) -> None:
        """A node's answer may be larger than gRPC usually takes."""
        ids = [f"{number:063d}" for number in range(80_000)]
        container = ContainerResources(
            devices=[ContainerDevices(resource_name="x/a", device_ids=ids)]
        )
        answer = ListPodResourcesResponse(pod_resources=[PodResources(containers=[container])])
        self.assertGreater(answer.ByteSize(), 5_000_000)
        await self.answering(answer)
        ((pod,),) = [await self.listed()]
        self.assertEqual(pod.containers[0].devices, {"x/a": frozenset(ids)})

    async def test_nobody_there(self) -> None:
        """Without a listening socket there is no answer, and the path is named."""
        for path in (self.path, os.path.join(self.directory, "missing", "pods.sock")):
            self.path = path
            error = await failure_of(self.listed(), PeerUnavailable)
            self.assertEqual(
                error.details,
                f"nobody listens on {path} (No such file or directory); name the kubelet's with "
                "--pod-resources-socket",
            )

    async def test_no_answer_in_time(self) -> None:
        """A kubelet that hangs is not waited for."""
        await self.answering(lambda _: Deferred())
        await failure_of(self.listed(timeout=0.05), CallTimedOut)

    async def test_error(self) -> None:
        """A refusal, such as for too many calls, is one."""

        def refuse(_: ListPodResourcesRequest) -> ListPodResourcesResponse:
            raise CallFailed("RESOURCE_EXHAUSTED", "rejected by rate limit")

        await self.answering(refuse)
        error = await failure_of(self.listed(), CallFailed)
        self.assertEqual(error.status, "RESOURCE_EXHAUSTED")

    async def test_not_a_message(self) -> None:
        """Bytes that do not parse are no answer."""
        await self.answering(b"\xff\xff")
        await failure_of(self.listed(), MalformedMessage)


class HeldTests(SynchronousTestCase):
    """Tests for `held_by`."""

    def test_all_containers_and_resources(self) -> None:
        """Several resources, pods, containers and ids are all counted."""
        first = Container("c", {"x/a": frozenset("12"), "x/b": frozenset("1")})
        pods = [
            Pod("n", "p", [first, Container("d", {})]),
            Pod("n", "q", [Container("c", {"x/a": frozenset("3")})]),
            Pod("n", "r", []),
        ]
        p, q = Holder("n", "p", "c"), Holder("n", "q", "c")
        self.assertEqual(held_by(pods), {"x/a": {"1": p, "2": p, "3": q}, "x/b": {"1": p}})
        self.assertEqual(held_by([Pod("n", "r", [])]), {})

    def test_shared(self) -> None:
        """The order of pods, which a kubelet changes, does not change who is named."""
        pods = [Pod("n", name, [Container("c", {"x/a": frozenset("1")})]) for name in "qp"]
        self.assertEqual(held_by(pods), held_by(pods[::-1]))
        self.assertEqual(held_by(pods), {"x/a": {"1": Holder("n", "p", "c")}})
