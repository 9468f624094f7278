"""A manager whose plugins the emulated kubelet finds by itself, over real sockets."""

import gc
import os
import shutil
import stat
import statistics

from twisted.internet import reactor

from tests.integration.test_life import (
    BLUE,
    DOMAIN,
    YELLOW,
    LifeTestCase,
    ToldScanner,
    resources_in_use,
    tree_of,
)
from tests.support.helpers import soon, until
from tests.support.kubelets import PatientKubelet
from tests.support.servers import channel_to
from twistdp import HEALTHY, DeviceInfo, DeviceTree, Manager, Settings
from twistdp.kubelet import register_by_watcher
from twistdp.kubelet.api import GET_INFO
from twistdp.kubelet.pluginregistration_v1_pb2 import InfoRequest, PluginInfo
from twistdp.testing import registry


class WatcherTestCase(LifeTestCase):
    """A kubelet with a plugins registry, and managers that use only that."""

    def setUp(self) -> None:
        """Make the registry directory."""
        super().setUp()
        self.registry = os.path.join(self.directory, "plugins_registry")
        os.mkdir(self.registry)
        self.socket = os.path.join(self.registry, f"{DOMAIN}_yellow.sock")
        plugin_dir = os.path.join(self.directory, "device-plugins")
        os.mkdir(plugin_dir)
        self.kubelet = PatientKubelet(plugin_dir, registry_dir=self.registry)
        self.patch(registry, "RETRY_FIRST", 0.01)
        self.patch(registry, "RETRY_MOST", 0.05)

    def serve(self, tree: DeviceTree) -> ToldScanner:
        """The scanner of a running manager, which offers `tree`."""
        scanner = ToldScanner(tree)
        settings = Settings(
            registration="watcher", registry_dir=self.registry, plugin_dir="/nonexistent/x"
        )
        self.manager = Manager(DOMAIN, scanner, settings=settings)
        self.manager.startService()
        self.addCleanup(lambda: self.manager.running and self.manager.stopService())
        return scanner

    async def listed(self) -> ToldScanner:
        """A served resource, registered once."""
        await self.kubelet.start()
        scanner = self.serve(tree_of("a"))
        await self.kubelet.listed(YELLOW, ["a"])
        await self.kubelet.until(lambda: len(self.kubelet.registrations) == 1)
        return scanner


class StrangerTests(WatcherTestCase):
    """Another process that may connect to the socket asks what only kubelets ask."""

    async def test_get_info(self) -> None:
        """The registration stays with its stream, however often; changes arrive; it is logged."""
        scanner = await self.listed()
        channel = channel_to(self, self.socket)
        for _ in range(20):
            info = await soon(channel.unary(GET_INFO, InfoRequest(), PluginInfo, 30.0))
            self.assertEqual(info.name, YELLOW)
        await self.log.seen(
            f"{YELLOW}: a program asked who serves {self.socket} (GetInfo), though a kubelet has "
            "registered it"
        )
        scanner.tell(tree_of("a", "b"))
        await self.kubelet.listed(YELLOW, ["a", "b"])
        self.assertEqual(len(self.kubelet.registrations), 1)
        self.assertEqual(len((await self.kubelet.allocate(YELLOW)).devices), 1)


class ServingTests(WatcherTestCase):
    """Devices reach the kubelet and follow the scanner."""

    async def test_is_found(self) -> None:
        """A finished socket, mode 0600, and nothing else appears; at the end nothing is left."""
        await self.kubelet.start()
        self.serve(tree_of("a", "b"))
        await self.kubelet.listed(YELLOW, ["a", "b"])
        await self.log.seen(f"registered {YELLOW} with the kubelet")
        self.assertEqual(os.listdir(self.registry), [os.path.basename(self.socket)])
        self.assertEqual(stat.S_IMODE(os.stat(self.socket).st_mode), 0o600)
        self.assertEqual(len(self.kubelet.registrations), 1)
        answer = await self.kubelet.allocate(YELLOW)
        self.assertEqual(len(answer.devices), 1)
        await self.manager.stopService()
        self.assertEqual(sorted(os.listdir(self.directory)), ["device-plugins", "plugins_registry"])
        self.assertEqual(os.listdir(self.registry), [])

    async def test_two_resources(self) -> None:
        """Each has its socket; one that vanishes sends the empty list and ends alone."""
        await self.kubelet.start()
        both = tree_of("y")
        both.add_device("blue", "b", DeviceInfo(HEALTHY))
        scanner = self.serve(both)
        await self.kubelet.listed(YELLOW, ["y"])
        await self.kubelet.listed(BLUE, ["b"])
        scanner.tell(tree_of("y"))
        await self.kubelet.until(lambda: self.kubelet.capacity(BLUE) == 0)
        await self.kubelet.until(lambda: os.listdir(self.registry) == [f"{DOMAIN}_yellow.sock"])
        scanner.tell(tree_of("y", "z"))
        await self.kubelet.listed(YELLOW, ["y", "z"])
        self.assertEqual([r.resource for r in self.kubelet.registrations].count(YELLOW), 1)


class TroubleTests(WatcherTestCase):
    """Whatever the kubelet does, the resource is registered again soon after it can be."""

    async def test_no_kubelet_at_the_start(self) -> None:
        """Logged once for all resources; a kubelet that starts registers them by itself."""
        self.patch(register_by_watcher, "PATIENCE", 0.02)
        tree = tree_of("a")
        tree.add_device("blue", "b", DeviceInfo(HEALTHY))
        self.serve(tree)
        waiting = f"no kubelet yet: waiting for one to find the sockets in {self.registry}"
        await self.log.seen(waiting)
        await self.kubelet.start()
        await self.kubelet.listed(YELLOW, ["a"])
        await self.kubelet.listed(BLUE, ["b"])
        self.assertEqual(len(self.logged("no kubelet")), 1)

    async def test_no_directory_at_the_start(self) -> None:
        """The directory may appear later, and be removed and made again."""
        os.rmdir(self.registry)
        self.serve(tree_of("a"))
        await self.log.seen(f"no kubelet yet: waiting for {self.registry} to appear")
        await self.kubelet.start()
        await self.kubelet.listed(YELLOW, ["a"])
        await self.kubelet.stop()
        shutil.rmtree(self.registry)
        await self.kubelet.start()
        await self.kubelet.listed(YELLOW, ["a"])
        self.assertIn(len(self.logged("waiting for")), (1, 2))  # the second time it may be short

    async def test_kubelet_restart(self) -> None:
        """The kubelet registers by itself, and changes reach it."""
        scanner = await self.listed()
        await self.kubelet.restart()
        await self.kubelet.listed(YELLOW, ["a"])
        scanner.tell(tree_of("b"))
        await self.kubelet.listed(YELLOW, ["b"])

    async def test_stream_ended_by_the_kubelet(self) -> None:
        """A kubelet that dropped the stream sees a new socket, and registers that."""
        scanner = await self.listed()
        for number in range(2, 5):
            self.kubelet.resources[YELLOW].end_stream()
            await self.kubelet.until(lambda: len(self.kubelet.registrations) >= number)  # noqa: B023
            await self.kubelet.listed(YELLOW, ["a"])
        scanner.tell(tree_of("b"))
        await self.kubelet.listed(YELLOW, ["b"])

    async def test_own_socket_removed(self) -> None:
        """The socket is made again, and the kubelet registers it."""
        scanner = await self.listed()
        os.unlink(self.socket)
        await self.kubelet.until(lambda: len(self.kubelet.registrations) == 2)
        scanner.tell(tree_of("a", "b"))
        await self.kubelet.listed(YELLOW, ["a", "b"])
        self.assertTrue(os.path.exists(self.socket))

    async def test_refused(self) -> None:
        """Logged once in the kubelet's words; the kubelet tries again, and the socket stays."""
        await self.kubelet.start()
        self.kubelet.refusal = "not today"
        self.serve(tree_of("a"))
        await self.kubelet.until(lambda: len(self.kubelet.registrations) == 3)
        before = os.lstat(self.socket).st_ctime_ns
        self.kubelet.refusal = None
        await self.kubelet.listed(YELLOW, ["a"])
        self.assertEqual(len(self.logged("the kubelet refused: ")), 1)
        self.assertIn("not today", self.logged("the kubelet refused: ")[0])
        self.assertEqual(os.lstat(self.socket).st_ctime_ns, before)

    async def test_fifty_restarts(self) -> None:
        """After each of fifty restarts a change is seen; no descriptor or thread is left behind."""
        scanner = await self.listed()
        before = resources_in_use()
        await self.restart_fifty_times(scanner)
        gc.collect()
        # gRPC closes a connection some time after its channel was closed.
        await until(lambda: resources_in_use()[0] - before[0] < 5)
        self.assertLess(resources_in_use()[1] - before[1], 5)

    async def test_many_stops(self) -> None:
        """A kubelet that is gone for a while after each stream is found again each time."""
        scanner = await self.listed()
        times = []
        for number in range(10):
            await self.kubelet.stop()
            scanner.tell(tree_of(f"while-{number}"))
            begin = reactor.seconds()
            await self.kubelet.start()
            await self.kubelet.listed(YELLOW, [f"while-{number}"])
            times.append(reactor.seconds() - begin)
        self.assertLess(statistics.median(times), 1.0)
