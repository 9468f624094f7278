"""The CDI parts of a resource in the service: described, named, tidied and cleaned up."""

import json
import os
import shutil
import tempfile

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.support.helpers import until
from tests.support.kubelets import PatientKubelet, know_pods_at_once
from tests.support.plugins import ThrowAwayPlugin, device_list
from twistdp import HEALTHY, CDIDevice, CDINode, DeviceInfo, Settings
from twistdp.cdi import files as cdi_files
from twistdp.cdi import service as cdi_service
from twistdp.cdi.files import SpecNotWritten, file_name
from twistdp.cdi.service import CdiParts
from twistdp.kubelet.holdings import holdings_of
from twistdp.model import Holder

DOMAIN, TYPE = "cam.example.com", "camera"
RESOURCE = f"{DOMAIN}/{TYPE}"


def camera(node: str) -> DeviceInfo:
    """A device that CDI describes by one node."""
    return DeviceInfo(HEALTHY, cdi=CDIDevice(nodes=[CDINode(node)]))


class CdiPartsTests(SynchronousTestCase):
    """Without a kubelet."""

    def setUp(self) -> None:
        """An empty directory for specs."""
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.cdi = os.path.join(self.directory, "cdi")
        self.clock = Clock()
        self.parts = CdiParts(DOMAIN, TYPE, settings=Settings(cdi_dir=self.cdi), reactor=self.clock)
        self.addCleanup(self.parts.stop)

    def test_nothing_without_cdi(self) -> None:
        """Devices without a CDI part leave no file, no directory and no name."""
        self.parts.describe({"a": DeviceInfo(HEALTHY)})
        self.assertFalse(self.parts.used)
        self.assertEqual(self.parts.names(["a"]), [])
        self.assertFalse(os.path.exists(self.cdi))

    def test_described_before_they_are_named(self) -> None:
        """The spec is there when the devices are described, and has the names that are given."""
        self.parts.describe({"a": camera("/dev/video0"), "b": DeviceInfo(HEALTHY)})
        with open(os.path.join(self.cdi, file_name(DOMAIN, TYPE)), encoding="utf-8") as file:
            spec = json.load(file)
        described = [f"{spec['kind']}={device['name']}" for device in spec["devices"]]
        self.assertEqual(self.parts.names(["a", "b"]), described)

    def test_after_a_reboot(self) -> None:
        """The name in the kubelet's old answer leads to the device's node of this boot."""
        self.parts.describe({"serial/0815": camera("/dev/video0")})
        (given,) = self.parts.names(["serial/0815"])
        self.parts.stop()
        shutil.rmtree(self.cdi)
        later = CdiParts(DOMAIN, TYPE, settings=Settings(cdi_dir=self.cdi), reactor=self.clock)
        self.addCleanup(later.stop)
        later.describe({"other": camera("/dev/video0"), "serial/0815": camera("/dev/video2")})
        with open(os.path.join(self.cdi, file_name(DOMAIN, TYPE)), encoding="utf-8") as file:
            spec = json.load(file)
        found = {f"{spec['kind']}={one['name']}": one["containerEdits"] for one in spec["devices"]}
        self.assertEqual(found[given]["deviceNodes"][0]["path"], "/dev/video2")

    def test_what_cannot_be_written_is_logged_and_refused(self) -> None:
        """Describing never raises; a name is refused until the spec can be written."""
        with open(self.cdi, "w", encoding="ascii"):
            self.parts.describe({"a": camera("/dev/video0")})
        self.assertRaises(SpecNotWritten, self.parts.names, ["a"])
        os.unlink(self.cdi)
        self.assertEqual(len(self.parts.names(["a"])), 1)

    def test_tried_again(self) -> None:
        """A failed write is repeated every second and logged once, until it succeeds."""
        with open(self.cdi, "w", encoding="ascii"), capturedLogs() as events:
            self.parts.describe({"a": camera("/dev/video0")})
            for _ in range(3):
                self.clock.advance(1.0)
        (event,) = events
        self.assertEqual(event["log_constant"], "CDI specs cannot be written")
        self.assertEqual(event["log_facts"]["resources"], [f"{DOMAIN}/{TYPE}"])
        os.unlink(self.cdi)
        with capturedLogs() as events:
            self.clock.advance(1.0)
        self.assertEqual(os.listdir(self.cdi), [file_name(DOMAIN, TYPE)])
        (over,) = map(formatEvent, events)
        self.assertEqual(over, f"CDI specs of {DOMAIN}/{TYPE} are written again")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stops_while_it_is_tried_again(self) -> None:
        """A stop ends that, too."""
        with open(self.cdi, "w", encoding="ascii"):
            self.parts.describe({"a": camera("/dev/video0")})
            self.parts.describe({"a": camera("/dev/video1")})
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.parts.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stops_without_a_trace(self) -> None:
        """A plan to tidy is given up with the service; the spec stays."""
        self.parts.describe({"a": camera("/dev/video0")})
        self.parts.names(["a"])
        self.parts.describe({"b": camera("/dev/video1")})
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.parts.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(os.listdir(self.cdi), [file_name(DOMAIN, TYPE)])


class TidyTests(TestCase):
    """With a kubelet that reports which pod holds which device."""

    async def start(self) -> None:
        """A kubelet with a plugin whose device a pod holds."""
        know_pods_at_once(self)
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        plugins = os.path.join(self.directory, "plugins")
        os.mkdir(plugins)
        self.settings = Settings(
            cdi_dir=os.path.join(self.directory, "cdi"),
            pod_resources_socket=os.path.join(self.directory, "pods.sock"),
        )
        self.kubelet = PatientKubelet(plugins, pod_resources=self.settings.pod_resources_socket)
        self.addCleanup(self.kubelet.stop)
        await self.kubelet.start()
        await self.plug()
        await self.kubelet.allocate(RESOURCE, ids=["a"])
        await self.kubelet.allocate(RESOURCE, ids=["c"], pod="other")

    async def plug(self, endpoint: str = "x.sock") -> None:
        """Register a plugin."""
        plugin = ThrowAwayPlugin(self.kubelet.directory, RESOURCE, endpoint, reactor)
        self.addCleanup(plugin.stop)
        plugin.latest.publish(device_list("a", "c"))
        await plugin.serve()
        await plugin.register()
        await self.kubelet.listed(RESOURCE, ["a", "c"])

    def described(self) -> int:
        """How many devices the spec describes; none without one."""
        try:
            path = os.path.join(self.settings.cdi_dir, file_name(DOMAIN, TYPE))
            with open(path, encoding="utf-8") as file:
                return len(json.load(file)["devices"])
        except FileNotFoundError:
            return 0

    async def test_names_live_as_long_as_their_holders(self) -> None:
        """A vanished device is described while a pod holds its id, and not when none does."""
        await self.start()
        self.patch(cdi_service, "TIDY_AFTER", 0.01)
        self.patch(cdi_files, "HANDED_OUT", 0.0)
        parts = CdiParts(DOMAIN, TYPE, settings=self.settings, reactor=reactor)
        self.addCleanup(parts.stop)
        parts.describe({"a": camera("/dev/video0")})
        parts.names(["a"])
        parts.describe({"b": camera("/dev/video1")})
        self.assertEqual(self.described(), 2)
        asked = []

        def answered() -> None:
            asked.append(holdings.held)
            self.kubelet.say("asked")

        holdings = holdings_of(reactor, self.settings.pod_resources_socket)
        self.addCleanup(holdings.follow(answered))
        await self.kubelet.until(lambda: len(asked) >= 2)
        self.assertEqual(self.described(), 2)
        self.kubelet.release("pod")
        await until(lambda: self.described() == 1)
        self.assertEqual(asked[-1], {RESOURCE: {"c": Holder("default", "other", "main")}})
