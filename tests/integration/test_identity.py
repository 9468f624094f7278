"""No device is in two pods, whatever is plugged in and out, and who breaks that is reported."""

import os
import shutil
import stat
import tempfile
from typing import Any
from unittest import SkipTest

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from tests.support.kubelets import PatientKubelet
from twistdp import (
    HEALTHY,
    DeviceInfo,
    DeviceSpec,
    DeviceTree,
    INotifier,
    IScanner,
    Manager,
    Settings,
    WatchingScanner,
)
from twistdp.scanners.globbing import GlobScanner


def tree_of(resource: str, id_: str, path: str) -> DeviceTree:
    """A tree of one device."""
    tree = DeviceTree()
    tree.add_device(resource, id_, DeviceInfo(HEALTHY, nodes=[DeviceSpec(path)]))
    return tree


class Renaming(WatchingScanner):
    """Calls a node by whichever name there is."""

    def __init__(self, directory: str, node: str) -> None:
        super().__init__([directory])
        self.directory = directory
        self.node = node

    def discover(self) -> DeviceTree:
        """The last name in the directory."""
        return tree_of("renamed", max(os.listdir(self.directory)), self.node)


@implementer(IScanner)
class Telling:
    """Reports the trees that it is given."""

    def scan(self, notifier: INotifier) -> None:
        """Keep the notifier."""
        self.notify = notifier.notify


class WarningTests(TestCase):
    """Scanners that break the contract."""

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """A kubelet, and a device node."""
        if os.geteuid() != 0:
            raise SkipTest("making device nodes needs root")
        base = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, base)
        self.names, self.plugins = os.path.join(base, "names"), os.path.join(base, "plugins")
        os.mkdir(self.names)
        os.mkdir(self.plugins)
        self.node = os.path.join(base, "tty0")
        os.mknod(self.node, stat.S_IFCHR | 0o600, os.makedev(240, 0))
        self.kubelet = PatientKubelet(self.plugins)
        await self.kubelet.start()
        self.addCleanup(self.kubelet.stop)

    def serve(self, scanner: Any) -> None:
        """Serve what a scanner finds."""
        settings = Settings(plugin_dir=self.plugins)
        manager = Manager("a.example.com", scanner, settings=settings)
        manager.startService()
        self.addCleanup(manager.stopService)

    async def test_watching_scanner(self) -> None:
        """A node that is renamed is reported."""
        os.mknod(os.path.join(self.names, "a"))
        with capturedLogs() as events:
            self.serve(Renaming(self.names, self.node))
            await self.kubelet.listed("a.example.com/renamed", ["a"])
            os.mknod(os.path.join(self.names, "b"))
            await self.kubelet.listed("a.example.com/renamed", ["b"])
        lines = [formatEvent(event) or "" for event in events]
        self.assertEqual(len([line for line in lines if "was listed as a" in line]), 1, lines)

    async def test_two_scanners(self) -> None:
        """A node of two scanners is reported, also of one with a loop of its own."""
        telling = Telling()
        with capturedLogs() as events:
            self.serve(GlobScanner("tty", [self.node]))
            await self.kubelet.listed("a.example.com/tty", ["tty0"])
            self.serve(telling)
            telling.notify(tree_of("told", "mine", self.node))
            await self.kubelet.listed("a.example.com/told", ["mine"])
        lines = [formatEvent(event) or "" for event in events]
        (line,) = (line for line in lines if "is in two resources" in line)
        self.assertIn("mine of a.example.com/told and as tty0 of a.example.com/tty", line)
