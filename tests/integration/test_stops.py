"""A stop of which a step fails: it runs to its end, and the next start is as any other."""

import errno
import os
import shutil
import tempfile

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from tests.support.helpers import soon
from tests.support.kubelets import PatientKubelet
from tests.support.system import Nth, Rule, failing, read_only
from twistdp import HEALTHY, CDIDevice, DeviceInfo, DeviceTree, Manager, Settings, WatchingScanner
from twistdp.model.names import private_directory

DOMAIN = "stops.example.com"
RESOURCE = f"{DOMAIN}/thing"


class Files(WatchingScanner):
    """Each file of a directory is a device with a CDI part."""

    def __init__(self, directory: str) -> None:
        super().__init__(paths=[directory])
        self.directory = directory

    def discover(self) -> DeviceTree:
        """Look."""
        tree = DeviceTree()
        for name in os.listdir(self.directory):
            tree.add_device("thing", name, DeviceInfo(HEALTHY, cdi=CDIDevice(env={"NAME": name})))
        return tree


class StopTests(TestCase):
    """Read-only moments, lost races, and whatever else a system call can fail with."""

    timeout = 300

    def setUp(self) -> None:
        """A kubelet, a device, and a manager that is not started yet."""
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        self.plugins, self.devices = f"{self.root}/p", f"{self.root}/d"
        for path in (self.plugins, self.devices):
            os.mkdir(path)
        self.plug()
        self.kubelet = PatientKubelet(self.plugins)
        self.addCleanup(self.kubelet.stop)
        self.manager = Manager(
            DOMAIN,
            Files(self.devices),
            settings=Settings(plugin_dir=self.plugins, cdi_dir=f"{self.root}/cdi"),
        )
        self.addCleanup(lambda: self.manager.running and self.manager.stopService())

    def plug(self) -> None:
        """The device comes."""
        with open(f"{self.devices}/one", "w", encoding="ascii"):
            pass

    def unplug(self) -> None:
        """It goes."""
        os.unlink(f"{self.devices}/one")

    async def listed(self) -> None:
        """The device is listed, and what there is of the plugin is served."""
        await self.kubelet.listed(RESOURCE, ["one"])

    async def start(self) -> None:
        """From the beginning to a list; the kubelet must have heard of the last stop."""
        await self.kubelet.until(lambda: self.kubelet.allocatable(RESOURCE) == 0)
        self.manager.startService()
        await self.listed()

    async def stop(self, verdict: Rule) -> list[str]:
        """Stop, with calls that fail; the lines that were logged."""
        with capturedLogs() as events, failing(verdict):
            await soon(self.manager.stopService())
        self.assertEqual([event for event in events if "log_failure" in event], [])
        return [formatEvent(event) for event in events]

    def left(self) -> set[str]:
        """The files of plugins; the kubelet's socket has a private directory too."""
        kubelets = os.path.basename(private_directory(self.kubelet.socket))
        return {
            name for name in os.listdir(self.plugins) if "kubelet" not in name and name != kubelets
        }

    async def test_any_call_fails(self) -> None:
        """Whichever it is, the stop ends, the next start serves, and its stop leaves nothing."""
        await self.kubelet.start()
        failed = set()
        for number in range(1000):
            await self.start()
            verdict = Nth(number)
            await self.stop(verdict)
            if not verdict.failed:
                break
            failed.add(verdict.failed)
        self.assertLessEqual({"unlink", "rmdir", "close", "scandir"}, failed)
        self.assertEqual(self.left(), set())

    async def test_read_only_moment(self) -> None:
        """It is logged once, with the path and the remedy; the next start serves."""
        await self.kubelet.start()
        await self.start()
        lines = await self.stop(read_only)
        (line,) = [line for line in lines if "Read-only" in line]
        self.assertIn(f"{self.plugins}/{DOMAIN}_thing.sock: ", line)
        self.assertIn("make its file system writable", line)
        await self.start()
        await self.stop(lambda _: None)
        self.assertEqual(self.left(), set())

    async def test_last_device_goes_in_a_read_only_moment(self) -> None:
        """When it comes back it is served, also if that moment is not over yet when it comes."""
        await self.kubelet.start()
        await self.start()
        with failing(read_only):
            self.unplug()
            await self.kubelet.listed(RESOURCE, [])
            await self.kubelet.until(lambda: not self.kubelet.resources[RESOURCE].connected)
            self.plug()
            await deferLater(reactor, 0.2)  # in which it is found, and cannot be served
        await self.listed()

    async def test_somebody_is_faster(self) -> None:
        """A file that another process has just removed counts as removed."""
        await self.kubelet.start()
        await self.start()

        def late(name: str) -> OSError | None:
            return FileNotFoundError(errno.ENOENT, "") if name in ("unlink", "rmdir") else None

        self.assertEqual(await self.stop(late), [])
        self.assertEqual(self.left(), set())
