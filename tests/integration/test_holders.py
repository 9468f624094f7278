"""What containers have, across restarts of the plugin, with an emulated kubelet."""

import os
from typing import Any

from twisted.internet import reactor

from tests.integration.test_life import YELLOW, LifeTestCase, ToldScanner, tree_of
from tests.support.helpers import Recorder, soon, temporary_directory, until
from tests.support.kubelets import PatientKubelet, know_pods_at_once
from twistdp import DeviceTree, Holder, Manager, ReleasedDevices
from twistdp.kubelet.holdings import holdings_of
from twistdp.resource import releases, tenancies
from twistdp.resource.vanished import REASON_BEFORE
from twistdp.status import Kind, events_of


class HoldersTestCase(LifeTestCase):
    """A kubelet that does not run yet, with pod-resources."""

    def setUp(self) -> None:
        """Make it."""
        super().setUp()
        know_pods_at_once(self)
        self.pods = os.path.join(temporary_directory(self), "pods.sock")
        self.kubelet = PatientKubelet(self.directory, force=True, pod_resources=self.pods)


class GraceTests(HoldersTestCase):
    """The removal grace of devices that containers got from an earlier process."""

    async def test_vanished_meanwhile(self) -> None:
        """A device that a container has and that vanishes while the plugin is down is unhealthy."""
        await self.kubelet.start()
        options = {"removal_grace": 60.0, "pod_resources_socket": self.pods}
        first = self.manage(ToldScanner(tree_of("a", "b")), **options)
        await self.kubelet.listed(YELLOW, ["a", "b"])
        await self.kubelet.allocate(YELLOW, ids=["a"], pod="painter")
        await soon(first.stopService())
        self.manage(ToldScanner(tree_of("b")), **options)
        await self.kubelet.until(
            lambda: self.kubelet.devices(YELLOW) == {"a": "Unhealthy", "b": "Healthy"}
        )
        self.assertEqual(len(self.logged(REASON_BEFORE)), 1)


class Observing(ToldScanner):
    """Keeps what is given back."""

    def __init__(self, *ids: str) -> None:
        super().__init__(tree_of(*ids))
        self.released = Recorder()

    def post_release(self, devices: ReleasedDevices, pod: Holder | None) -> None:
        """See `IReleaseObserver`."""
        known = sorted(devices.devices)
        self.released((devices.resource, devices.devices_ids, known, pod and pod.pod))


class ReleaseTests(HoldersTestCase):
    """The hook `post_release`, with short waits."""

    def setUp(self) -> None:
        """The file is in a directory of the test's."""
        super().setUp()
        self.patch(tenancies, "CONFIRMED", 0.05)
        self.patch(tenancies, "SETTLED", 0.2)
        self.state = temporary_directory(self)

    def observe(self, scanner: Any, **settings: Any) -> Manager:
        """A running manager."""
        return self.manage(
            scanner, pod_resources_socket=self.pods, state_dir=self.state, **settings
        )

    async def given(self) -> tuple[Manager, Observing]:
        """A pod has two devices, another one has one, and the plugin knows that."""
        await self.kubelet.start()
        scanner = Observing("a", "b", "c")
        manager = self.observe(scanner)
        await self.kubelet.listed(YELLOW, ["a", "b", "c"])
        await self.kubelet.allocate(YELLOW, ids=["a", "b"], pod="painter")
        await self.kubelet.allocate(YELLOW, ids=["c"], pod="other")
        await until(lambda: self.file().count("painter") == 2 and "other" in self.file())
        return manager, scanner

    def file(self) -> str:
        """The text of the file."""
        texts = []
        for name in os.listdir(self.state):
            with open(os.path.join(self.state, name), encoding="utf-8") as file:
                texts.append(file.read())
        return "".join(texts)

    async def test_released(self) -> None:
        """The devices of a pod are reported once, with what is known of those that are there."""
        _, scanner = await self.given()
        scanner.tell(tree_of("b", "c"))
        self.kubelet.release("painter")
        await scanner.released.until(bool)
        self.assertEqual(scanner.released.calls, [(YELLOW, ["a", "b"], ["b"], "painter")])
        await until(lambda: "painter" not in self.file())

    async def test_given_again(self) -> None:
        """The next allocation shows it at once, also for a pod of the same name."""
        self.patch(tenancies, "CONFIRMED", 1000.0)
        _, scanner = await self.given()
        self.kubelet.release("painter")
        await self.kubelet.allocate(YELLOW, ids=["a"], pod="painter")
        await scanner.released.until(bool)
        self.assertEqual(scanner.released.calls, [(YELLOW, ["a"], ["a"], "painter")])

    async def test_while_the_plugin_was_down(self) -> None:
        """What was given back meanwhile is reported after the start, and nothing else."""
        manager, scanner = await self.given()
        await soon(manager.stopService())
        self.kubelet.release("painter")
        again = Observing("a", "b", "c")
        self.observe(again)
        await again.released.until(bool)
        self.assertEqual(again.released.calls, [(YELLOW, ["a", "b"], ["a", "b"], "painter")])
        self.assertEqual(scanner.released.calls, [])

    async def test_kubelet_restart(self) -> None:
        """A kubelet that stops and starts releases nothing; one pod ends, and is reported."""
        _, scanner = await self.given()
        await soon(self.kubelet.restart())
        await self.kubelet.listed(YELLOW, ["a", "b", "c"])
        self.kubelet.release("other")
        await scanner.released.until(bool)
        self.assertEqual(scanner.released.calls, [(YELLOW, ["c"], ["c"], "other")])

    async def test_unknown_pods(self) -> None:
        """While a kubelet does not know its pods, nothing is released."""
        _, scanner = await self.given()
        self.kubelet.api_server = False
        await soon(self.kubelet.restart())
        await self.kubelet.listed(YELLOW, ["a", "b", "c"])
        asked: list[object] = []
        holdings = holdings_of(reactor, self.pods)
        self.addCleanup(holdings.follow(lambda: asked.append(holdings.held)))
        await until(lambda: None in asked)
        self.assertIn("painter", self.file())
        self.kubelet.release("painter")
        self.kubelet.api_server = True
        await scanner.released.until(bool)
        self.assertEqual(scanner.released.calls, [(YELLOW, ["a", "b"], ["a", "b"], "painter")])

    async def test_never_listed(self) -> None:
        """A device of a pod that the kubelet never lists is reported when it keeps it no more."""
        _, scanner = await self.given()
        self.kubelet.release("painter")
        await scanner.released.until(bool)
        await self.kubelet.allocate(YELLOW, ids=["b"], pod="third")  # which writes the checkpoint
        events_of(reactor).emit(Kind.ALLOCATED, resource=YELLOW, ids=[["a"]])
        await scanner.released.until(lambda calls: len(calls) == 2)
        self.assertEqual(scanner.released.calls[-1], (YELLOW, ["a"], ["a"], None))

    async def test_no_devices_left(self) -> None:
        """A device that its pod has is not given back because its resource is gone."""
        _, scanner = await self.given()
        scanner.tell(DeviceTree())
        await self.kubelet.until(lambda: not self.kubelet.allocatable(YELLOW))
        await self.settled()
        self.assertEqual(scanner.released.calls, [])
        self.kubelet.release("painter")
        await scanner.released.until(bool)
        self.assertEqual(scanner.released.calls, [(YELLOW, ["a", "b"], [], "painter")])

    async def settled(self) -> None:
        """The kubelet was asked again after all that may take its time."""
        late = reactor.seconds() + tenancies.SETTLED + 4 * tenancies.CONFIRMED
        holdings = holdings_of(reactor, self.pods)
        await until(lambda: holdings.asked_at > late)

    async def test_init_container(self) -> None:
        """A device that is only in the checkpoint is somebody's, and given back with the pod."""
        _, scanner = await self.given()
        self.kubelet.release("painter")
        await scanner.released.until(bool)
        await self.kubelet.allocate(YELLOW, ids=["a"], pod="init", init=True)
        await self.settled()
        self.assertEqual(len(scanner.released.calls), 1)
        self.kubelet.release("init")
        await self.kubelet.allocate(YELLOW, ids=["b"], pod="third")  # which writes the checkpoint
        await scanner.released.until(lambda calls: len(calls) == 2)
        self.assertEqual(scanner.released.calls[-1], (YELLOW, ["a"], ["a"], None))

    async def test_no_hook(self) -> None:
        """Without the hook there is no file, and the kubelet is not asked."""
        await self.kubelet.start()
        self.observe(ToldScanner(tree_of("a")))
        await self.kubelet.listed(YELLOW, ["a"])
        await self.kubelet.allocate(YELLOW, ids=["a"])
        self.assertEqual(os.listdir(self.state), [])

    async def test_no_pod_resources(self) -> None:
        """A kubelet that cannot be asked is logged once, after a while, and so is the end."""
        self.patch(releases, "LASTING", 0.1)
        before, self.pods = self.pods, os.path.join(self.directory, "none.sock")
        self.observe(Observing("a"))
        await until(lambda: self.logged("its post_release is not called while"))
        (line,) = self.logged("its post_release is not called while")
        self.assertIn("none.sock", line)
        await self.kubelet.start()
        os.symlink(before, self.pods)
        await until(lambda: self.logged("its post_release is called again"))
