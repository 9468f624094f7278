"""A manager and who might take the kubelet's place."""

import os
import socket
from collections.abc import Sequence
from contextlib import suppress as tolerate

from twisted.internet.task import Clock
from twisted.logger import LogEvent, capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from tests.integration.test_life import BLUE, YELLOW, LifeTestCase, ToldScanner, tree_of
from tests.support.helpers import temporary_directory
from tests.support.users import ALICE, NEEDS_ROOT, acting_as, given_to
from twistdp import HEALTHY, CDIDevice, CDINode, DeviceInfo, Settings, klog
from twistdp.cdi.service import TIDY_AFTER, CdiParts, Leftovers
from twistdp.errors import KubeletAbsent, Untrusted
from twistdp.kubelet.presence import check_kubelet


def two_resources() -> ToldScanner:
    """A scanner with a device of each of two resources."""
    tree = tree_of("a")
    tree.add_device("blue", "b", DeviceInfo(HEALTHY))
    return ToldScanner(tree)


class DirectoryTests(LifeTestCase):
    """The plugin directory."""

    def setUp(self) -> None:
        """Log attempts to register, too."""
        super().setUp()
        self.addCleanup(klog.set_level, klog.level())
        klog.set_level(4)

    async def test_others_may_write(self) -> None:
        """Logged once for all resources; they register by themselves when it is fixed."""
        await self.kubelet.start()
        os.chmod(self.directory, 0o777)
        self.manage(two_resources())
        found = os.stat(self.directory)
        complaint = (
            f"{self.directory} cannot be trusted: others may write in {self.directory} (user "
            f"{found.st_uid}, group {found.st_gid}, mode 0777); chmod go-w {self.directory}"
        )
        await self.log.seen(complaint)
        # Both resources have tried several times.
        await self.log.seen("an attempt to register begins", 8)
        self.assertEqual(self.kubelet.registrations, [])
        self.assertEqual(self.sockets(), set())
        # Once by the manager, which removes nothing there, and once for all registrations.
        self.assertEqual(len(self.logged("cannot clean")), 1)
        self.assertEqual(len(self.logged("cannot be trusted")), 2)
        os.chmod(self.directory, 0o700)
        await self.kubelet.listed(YELLOW, ["a"])
        await self.kubelet.listed(BLUE, ["b"])

    async def test_while_it_is_registered(self) -> None:
        """Registered resources stay so; the next registration waits until it is fixed."""
        await self.kubelet.start()
        self.manage(ToldScanner(tree_of("a")))
        await self.kubelet.listed(YELLOW, ["a"])
        os.chmod(self.directory, 0o777)
        self.assertEqual(self.kubelet.allocatable(YELLOW), 1)
        # The emulated kubelet's server refuses the directory, too.
        await self.assertFailure(self.kubelet.restart(), Untrusted)
        await self.log.seen("an attempt to register begins", 4)
        self.assertEqual(len(self.logged("cannot be trusted")), 1)
        os.chmod(self.directory, 0o700)
        await self.kubelet.restart()
        await self.kubelet.listed(YELLOW, ["a"])


class ImpostorTests(LifeTestCase):
    """Another user listens on the kubelet's socket."""

    skip = NEEDS_ROOT

    def setUp(self) -> None:
        """The directory is one in which another user can make things."""
        super().setUp()
        self.addCleanup(klog.set_level, klog.level())
        klog.set_level(4)
        os.chmod(self.directory, 0o1777)
        self.path = os.path.join(self.directory, "kubelet.sock")
        self.impostor = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.impostor.close)

    async def test_its_socket(self) -> None:
        """A socket of another user is not even connected to."""
        with acting_as(ALICE):
            self.impostor.bind(self.path)
            self.impostor.listen()
        self.manage(two_resources())
        await self.log.seen(
            f"{self.path} cannot be trusted: {self.path} belongs to user {ALICE} (mode 0755), who "
            "could replace it; remove it"
        )
        await self.assert_heals()

    async def test_its_process(self) -> None:
        """Root's socket on which another user's process listens gets no byte."""
        with acting_as(ALICE):
            self.impostor.bind(self.path)
            self.impostor.listen()
        given_to(self.path, 0, 0o777)
        self.manage(two_resources())
        await self.log.seen(
            f"{self.path} cannot be trusted: process {os.getpid()} of user {ALICE} listens there, "
            "neither root's nor our own user's (0); end that process"
        )
        await self.assert_heals()
        caller, _ = self.impostor.accept()
        self.assertEqual(caller.recv(1), b"")

    async def assert_heals(self) -> None:
        """The impostor got nothing, the log has one complaint, and a kubelet is welcome."""
        await self.log.seen("an attempt to register begins", 8)
        self.assertEqual(len(self.logged("cannot be trusted")), 1)
        await self.kubelet.start()
        await self.kubelet.listed(YELLOW, ["a"])
        await self.kubelet.listed(BLUE, ["b"])


class BusyTests(LifeTestCase):
    """A kubelet that has no place in its queue."""

    async def test_full_queue(self) -> None:
        """It is not waited for with the loop held up, and tried again."""
        path = os.path.join(self.directory, "kubelet.sock")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen(0)
            clients = []
            with tolerate(BlockingIOError):
                while True:
                    client = socket.socket(socket.AF_UNIX)
                    self.addCleanup(client.close)
                    client.setblocking(False)
                    clients.append(client)
                    client.connect(path)
            self.manage(ToldScanner(tree_of("a")))
            await self.log.seen(
                f"the kubelet on {path} has more callers waiting than it takes: registration "
                "waits until it has answered them"
            )
        await self.kubelet.start()
        await self.kubelet.listed(YELLOW, ["a"])


class PodResourcesTests(TestCase):
    """The pod-resources socket."""

    async def test_not_trusted(self) -> None:
        """Names of devices stay, as it is unknown who holds them; the log says so once."""
        directory = temporary_directory(self)
        place = os.path.join(directory, "pod-resources")
        os.mkdir(place)
        os.chmod(place, 0o777)
        path = os.path.join(place, "kubelet.sock")
        settings = Settings(cdi_dir=os.path.join(directory, "cdi"), pod_resources_socket=path)
        clock = Clock()
        parts = CdiParts("x.example.com", "y", settings=settings, reactor=clock)
        self.addCleanup(parts.stop)
        device, other = (
            DeviceInfo(HEALTHY, cdi=CDIDevice(nodes=[CDINode(path)]))
            for path in ("/dev/null", "/dev/zero")
        )

        def lines(events: Sequence[LogEvent]) -> list[str]:
            return [line for line in map(formatEvent, events) if "which pods hold" in line]

        with capturedLogs() as events:
            parts.describe({"a": device, "b": other})
            parts.describe({"a": device})
            for _ in range(3):
                clock.advance(TIDY_AFTER)
        (line,) = lines(events)
        self.assertIn(f"{path} cannot be trusted: others may write in {place} (", line)
        parts.stop()
        with capturedLogs() as events:
            leftovers = Leftovers("x.example.com", list, settings=settings, reactor=clock)
            self.addCleanup(leftovers.stop)
            leftovers.look()
            clock.advance(TIDY_AFTER)
        self.assertEqual(lines(events), [])  # it is known
        (name,) = os.listdir(settings.cdi_dir)
        with open(os.path.join(settings.cdi_dir, name), encoding="ascii") as file:
            self.assertEqual(file.read().count('"name"'), 2)


class UnprivilegedTests(LifeTestCase):
    """A process that may not call the kubelet."""

    skip = NEEDS_ROOT

    async def test_permission_denied(self) -> None:
        """The log says so, rather than that there is no kubelet."""
        os.chmod(self.directory, 0o755)
        await self.kubelet.start()
        path = os.path.join(self.directory, "kubelet.sock")
        with acting_as(ALICE):
            error = self.assertRaises(KubeletAbsent, check_kubelet, path)
        self.assertEqual(
            str(error),
            f"the kubelet on {path} cannot be called: Permission denied; let this process, which "
            f"runs as user {ALICE}, connect to it, as root can",
        )
