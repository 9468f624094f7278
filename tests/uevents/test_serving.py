"""Events of the kernel, from a device to the kubelet's list."""

import errno
import os
from collections.abc import Collection

from twisted.trial.unittest import TestCase

from tests.support.declarations import resources
from tests.support.helpers import temporary_directory
from tests.support.kubelets import PatientKubelet
from tests.support.uevents import (
    a_block_device,
    bind,
    bound_device,
    make_event,
    network_interface,
    rename_interface,
    require_events,
)
from twistdp.manager import Manager
from twistdp.model.devices import HEALTHY, DeviceInfo, DeviceTree
from twistdp.scan.scanner import WatchingScanner
from twistdp.scanners.declared.scanner import DeclaredScanner
from twistdp.settings import Settings
from twistdp.uevents.socket import UeventSocket

NAME = "x.example.com/thing"


def fail_with(error: Exception) -> None:
    """Raise an error."""
    raise error


class ServingTests(TestCase):
    """A plugin whose scanner follows the kernel's events; nothing is scanned again in time."""

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """A kubelet."""
        require_events()
        self.plugins = temporary_directory(self)
        self.kubelet = PatientKubelet(self.plugins, force=True)
        await self.kubelet.start()
        self.addCleanup(self.kubelet.stop)

    def serve(self, scanner: WatchingScanner) -> None:
        """Serve what a scanner finds, and let no rescan find anything."""
        scanner.rescan_interval = 3600.0
        self.start(scanner)

    def start(self, scanner: WatchingScanner) -> None:
        """Serve what a scanner finds."""
        manager = Manager("x.example.com", scanner, settings=Settings(plugin_dir=self.plugins))
        manager.startService()
        self.addCleanup(manager.stopService)

    def bind_again(self, path: str, driver: str) -> None:
        """Leave the driver bound."""
        if not os.path.exists(f"{driver}/{os.path.basename(path)}"):
            bind(path, driver)

    async def test_driver(self) -> None:
        """A device comes and goes with its driver, which no file of /dev shows."""
        path, driver = bound_device()
        name = os.path.basename(path)
        text = f"""
        thing:
          match: {{subsystem: virtio, driver: virtio_rng, kernelName: {name}}}
          env: {{NAME: "{{kernelName}}"}}
          id: "{{kernelName}}"
        other: /dev/null
        """
        scanner = DeclaredScanner(resources(text))
        self.serve(scanner)
        await self.kubelet.listed(NAME, [name])
        self.patch(scanner, "discover", lambda: self.fail("a whole look"))
        self.addCleanup(self.bind_again, path, driver)
        for _ in range(3):
            bind(path, driver, "unbind")
            await self.kubelet.listed(NAME, [])
            bind(path, driver)
            await self.kubelet.listed(NAME, [name])

    async def test_without_a_node(self) -> None:
        """A network interface comes, moves and goes: it has a name, and no node."""
        one, other = (f"tdp{os.getpid() % 100_000}{letter}" for letter in "ab")
        text = f"""
        thing:
          match: {{subsystem: net, kernelName: [{one}, {other}]}}
          env: {{NAME: "{{kernelName}}"}}
          id: "{{kernelName}}"
        null: /dev/null
        """
        scanner = DeclaredScanner(resources(text))
        self.serve(scanner)
        await self.kubelet.listed("x.example.com/null", ["null"])
        self.patch(scanner, "discover", lambda: self.fail("a whole look"))
        with network_interface(one):
            await self.kubelet.listed(NAME, [one])
            rename_interface(one, other)
            await self.kubelet.listed(NAME, [other])
        await self.kubelet.listed(NAME, [])

    async def test_not_allowed(self) -> None:
        """Where the socket is not allowed, the rescans find the same."""
        error = PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        self.patch(UeventSocket, "open", lambda _: fail_with(error))
        one = f"tdp{os.getpid() % 100_000}c"
        text = f"thing: {{subsystem: net, kernelName: {one}, env: {{A: b}}, id: one}}"
        scanner = DeclaredScanner(resources(text))
        scanner.rescan_interval = 0.05
        self.start(scanner)
        with network_interface(one):
            await self.kubelet.listed(NAME, ["one"])
        await self.kubelet.listed(NAME, [])

    async def test_scanner_of_ones_own(self) -> None:
        """A scanner in Python names subsystems, and gets the directories of their devices."""
        path = a_block_device()

        class Scanner(WatchingScanner):
            uevents = ("block",)
            count = 1

            def discover(self) -> DeviceTree:
                tree = DeviceTree()
                tree.add_devices("thing", {str(self.count): DeviceInfo(HEALTHY)})
                return tree

            def follow(self, changed: Collection[str]) -> DeviceTree:
                self.count += f"/sys{path}" in changed
                return self.discover()

        self.serve(Scanner())
        await self.kubelet.listed(NAME, ["1"])
        make_event(path)
        await self.kubelet.listed(NAME, ["2"])
