"""A manager in this process and an emulated kubelet: the whole way over real sockets."""

import errno
import gc
import os
import shutil
import tempfile
import threading
from collections.abc import Iterable
from operator import sub
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent, formatEvent
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from examples.color import ColorScanner
from tests.support.helpers import PATIENCE, failure_of, soon, until
from tests.support.kubelets import PatientKubelet
from tests.support.logs import observe
from tests.support.plugins import Recorder
from twistdp import (
    HEALTHY,
    UNHEALTHY,
    DeviceInfo,
    DeviceSpec,
    DeviceTree,
    IAllocator,
    INotifier,
    IScanner,
    Manager,
    Settings,
    WatchingScanner,
)
from twistdp import manager as manager_module
from twistdp.cdi.service import CdiParts
from twistdp.errors import BadTree, CallFailed
from twistdp.inotify.watches import inotify_of
from twistdp.kubelet import messages, news, register_by_socket, registrar
from twistdp.kubelet.api import LIST_AND_WATCH
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import Empty, ListAndWatchResponse
from twistdp.resource import inventory
from twistdp.resource.resource import Resource
from twistdp.rpc.channel import Channel
from twistdp.status.events import events_of
from twistdp.testing.endpoint import AdmissionRefused

DOMAIN = "color.example.com"
YELLOW = f"{DOMAIN}/yellow"
BLUE = f"{DOMAIN}/blue"


def tree_of(*ids: str, kind: str = "yellow", state: str = HEALTHY) -> DeviceTree:
    """A tree with devices of one kind."""
    tree = DeviceTree()
    for id_ in ids:
        node = DeviceSpec("/dev/null", f"/dev/{id_}")
        tree.add_device(kind, id_, DeviceInfo(state, nodes=[node], reason="worn out"))
    return tree


@implementer(IScanner)
class ToldScanner:
    """Finds the given devices."""

    def __init__(self, tree: DeviceTree) -> None:
        self.tree = tree
        self.notifier: INotifier | None = None

    def scan(self, notifier: INotifier) -> None:
        """Keep the notifier and give it the first tree."""
        self.notifier = notifier
        notifier.notify(self.tree)

    def tell(self, tree: Any) -> None:
        """Another tree."""
        assert self.notifier is not None
        self.notifier.notify(tree)


class LifeTestCase(TestCase):
    """A directory, a kubelet that does not run yet, and the log's lines."""

    timeout = 300

    def setUp(self) -> None:
        """Make them."""
        events_of(reactor).kept.clear()  # an earlier test's, unless they were garbage already
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.kubelet = PatientKubelet(self.directory, force=True)
        self.addCleanup(lambda: self.kubelet.running and self.kubelet.stop())
        self.log = Recorder(reactor)
        observe(self, self._observe)

    def _observe(self, event: LogEvent) -> None:
        if event.get("log_namespace", "").startswith("twistdp"):
            self.log.record(formatEvent(event))

    def logged(self, part: str) -> list[str]:
        """The log lines that contain a text."""
        return [line for line in self.log.events if part in line]

    def manage(self, scanner: Any, **settings: Any) -> Manager:
        """A running manager."""
        settings = {"state_dir": os.path.join(self.directory, "state"), **settings}
        manager = Manager(DOMAIN, scanner, settings=Settings(plugin_dir=self.directory, **settings))
        manager.startService()
        self.addCleanup(lambda: manager.running and manager.stopService())
        return manager

    async def served(self) -> "ToldScanner":
        """The scanner of a served resource."""
        await self.kubelet.start()
        scanner = ToldScanner(tree_of("a"))
        self.manage(scanner)
        await self.kubelet.listed(YELLOW, ["a"])
        return scanner

    async def restart_fifty_times(self, scanner: "ToldScanner") -> None:
        """Restart the kubelet, and wait for a change after each time."""
        for number in range(50):
            # Some at once after the last one, some while the resource still registers.
            again = self.kubelet.restart()
            if number % 5 == 0:
                again.addCallback(lambda _: self.kubelet.restart())
            if number % 3 == 0:
                scanner.tell(tree_of("a", f"during-{number}"))
            await again
            scanner.tell(tree_of("a", f"after-{number}"))
            await self.kubelet.listed(YELLOW, ["a", f"after-{number}"])

    def sockets(self) -> set[str]:
        """The names in the directory, but the kubelet's own files."""
        return {name for name in os.listdir(self.directory) if name.endswith(".sock")} - {
            "kubelet.sock"
        }


class ServingTests(LifeTestCase):
    """Devices reach the kubelet and follow the scanner."""

    async def test_serves_what_the_scanner_finds(self) -> None:
        """Two colours are two resources, each with its socket, mode 0600."""
        await self.kubelet.start()
        tree = tree_of("yellow-0", "yellow-1")
        tree.add_device("blue", "blue-0", DeviceInfo(UNHEALTHY))
        self.manage(ToldScanner(tree))
        await self.kubelet.listed(YELLOW, ["yellow-0", "yellow-1"])
        await self.kubelet.until(lambda: self.kubelet.capacity(BLUE) == 1)
        self.assertEqual(self.kubelet.allocatable(BLUE), 0)
        self.assertEqual(self.sockets(), {f"{DOMAIN}_yellow.sock", f"{DOMAIN}_blue.sock"})
        for name in self.sockets():
            mode = os.stat(os.path.join(self.directory, name)).st_mode
            self.assertEqual(mode & 0o777, 0o600)

    async def test_follows_changes(self) -> None:
        """A change of the tree is a new list; an equal tree is none."""
        scanner = await self.served()
        scanner.tell(tree_of("a", "b"))
        await self.kubelet.listed(YELLOW, ["a", "b"])
        lists = self.kubelet.resources[YELLOW].lists
        scanner.tell(tree_of("a", "b"))
        scanner.tell(tree_of("b"))
        await self.kubelet.listed(YELLOW, ["b"])
        self.assertEqual(self.kubelet.resources[YELLOW].lists, lists + 1)

    async def test_a_resource_comes_and_goes_alone(self) -> None:
        """A type that vanishes sends the empty list and ends; the others' streams go on."""
        await self.kubelet.start()
        both = tree_of("y")
        both.add_device("blue", "b", DeviceInfo(HEALTHY))
        scanner = ToldScanner(both)
        self.manage(scanner)
        await self.kubelet.listed(YELLOW, ["y"])
        await self.kubelet.listed(BLUE, ["b"])
        scanner.tell(tree_of("y"))
        await self.kubelet.until(lambda: self.kubelet.capacity(BLUE) == 0)
        await self.kubelet.until(lambda: not self.kubelet.resources[BLUE].connected)
        await self.kubelet.until(lambda: self.sockets() == {f"{DOMAIN}_yellow.sock"})
        scanner.tell(both)
        await self.kubelet.listed(BLUE, ["b"])
        self.assertEqual([r.resource for r in self.kubelet.registrations].count(YELLOW), 1)

    async def test_a_resource_returns_while_it_retires(self) -> None:
        """A type that comes back at once is served again, with its newest devices."""
        scanner = await self.served()
        scanner.tell(DeviceTree())
        scanner.tell(tree_of("b"))
        scanner.tell(DeviceTree())
        scanner.tell(tree_of("c"))
        await self.kubelet.listed(YELLOW, ["c"])

    async def test_follows_a_directory(self) -> None:
        """Files made and removed in a watched directory are devices within one event."""
        await self.kubelet.start()
        colors = os.path.join(self.directory, "colors")
        self.manage(ColorScanner(colors))
        os.mkdir(colors)
        path = os.path.join(colors, "yellow-0")
        with open(path, "w", encoding="ascii"):
            await self.kubelet.listed(YELLOW, ["yellow-0"])
        os.unlink(path)
        await self.kubelet.until(lambda: self.kubelet.capacity(YELLOW) == 0)

    async def test_one_bad_device_costs_only_itself(self) -> None:
        """A device that cannot be served is left out and logged once; the rest is served."""
        await self.kubelet.start()
        tree = tree_of("good")
        tree.add_device("yellow", "x" * 64, DeviceInfo(HEALTHY))
        tree.add_device("yellow", "odd", "Sparkling")  # type: ignore[arg-type]
        tree.add_device("no/type", "y", DeviceInfo(HEALTHY))
        scanner = ToldScanner(tree)
        self.manage(scanner)
        await self.kubelet.listed(YELLOW, ["good"])
        scanner.tell(tree)
        self.assertEqual(len(self.logged("left out")), 3)

    async def test_health_is_logged(self) -> None:
        """Which devices are unhealthy and why, also another reason, and which are well again."""
        await self.kubelet.start()
        scanner = ToldScanner(tree_of("a", "b"))
        self.manage(scanner)
        await self.kubelet.listed(YELLOW, ["a", "b"])

        def tell(state: str, reason: str) -> str:
            tree = tree_of("b")
            tree.add_device("yellow", "a", DeviceInfo(state, reason=reason))
            scanner.tell(tree)
            return self.log.events[-1]

        for state, reason, line in (
            (UNHEALTHY, "hot", "2 devices, 1 unhealthy (unhealthy: a (hot))"),
            (UNHEALTHY, "on fire", "2 devices, 1 unhealthy (unhealthy: a (on fire))"),
            (HEALTHY, "", "2 devices (healthy again: a)"),
        ):
            self.assertEqual(tell(state, reason), f"{YELLOW}: {line}")
        scanner.tell(scanner.tree)
        lists = self.log.events[:]
        scanner.tell(scanner.tree)
        self.assertEqual(self.log.events, lists)

    async def test_a_tree_from_another_thread(self) -> None:
        """A scanner with threads of its own may notify from them."""
        scanner = await self.served()
        thread = threading.Thread(target=scanner.tell, args=(tree_of("a", "b"),))
        thread.start()
        await self.kubelet.listed(YELLOW, ["a", "b"])
        thread.join()

    async def test_nonsense_leaves_the_devices(self) -> None:
        """Something that is no tree is logged with its stack; the last good tree stays."""
        scanner = await self.served()
        scanner.tell({"yellow": "a"})
        self.assertEqual(len(self.flushLoggedErrors(BadTree)), 1)
        self.assertEqual(self.kubelet.allocatable(YELLOW), 1)

    async def test_starts_again_while_a_scan_hangs(self) -> None:
        """A scan that outlives its stop is waited for, and reported: there are never two."""
        entered, release = threading.Semaphore(0), threading.Event()
        self.addCleanup(release.set)
        running: list[int] = []
        most: list[int] = []

        class Hanging(WatchingScanner):
            def discover(self) -> DeviceTree:
                running.append(1)
                most.append(len(running))
                entered.release()
                release.wait(60.0)
                running.pop()
                return tree_of("a")

        await self.kubelet.start()
        manager = self.manage(Hanging(), scan_timeout=0.05)
        await deferToThread(entered.acquire)
        for _ in range(3):
            await manager.stopService()
            manager.startService()
        await until(lambda: self.logged("has not returned for 0.05 s"))
        self.assertIn("in discover", self.logged("has not returned")[0])
        release.set()
        await self.kubelet.listed(YELLOW, ["a"])
        self.assertEqual(most, [1, 1])

    async def test_starts_again_after_a_stop(self) -> None:
        """A stopped manager leaves nothing and can be started again."""
        await self.kubelet.start()
        manager = self.manage(ToldScanner(tree_of("a")))
        await self.kubelet.listed(YELLOW, ["a"])
        await manager.stopService()
        self.assertEqual(self.sockets(), set())
        self.assertEqual(self.kubelet.capacity(YELLOW), 1)  # no empty list was sent
        manager.startService()
        await self.kubelet.listed(YELLOW, ["a"])

    async def test_one_inotify_descriptor(self) -> None:
        """Many managers and resources share one descriptor, which is closed after the last."""
        await self.kubelet.start()
        managers = [
            self.manage(ToldScanner(tree_of("x", kind=kind))) for kind in ("yellow", "blue")
        ]
        await self.kubelet.listed(YELLOW, ["x"])
        await self.kubelet.listed(BLUE, ["x"])
        self.assertEqual(inotify_descriptors(), 1)
        for manager in managers:
            await manager.stopService()
        self.assertEqual(inotify_descriptors(), 0)
        self.assertEqual(inotify_of(reactor).fileno(), -1)


class AllocationTests(LifeTestCase):
    """What pods get, and their message when they get nothing."""

    async def serve(self, tree: DeviceTree) -> ToldScanner:
        """Have a tree listed."""
        await self.kubelet.start()
        scanner = ToldScanner(tree)
        self.manage(scanner)
        await self.kubelet.until(lambda: self.kubelet.capacity(YELLOW) > 0)
        return scanner

    async def test_gives_the_devices(self) -> None:
        """The parts of all requested devices are joined."""
        await self.serve(tree_of("a", "b", "c"))
        answer = await self.kubelet.allocate(YELLOW, ids=["c", "a"])
        self.assertEqual([n.container_path for n in answer.devices], ["/dev/a", "/dev/c"])
        self.assertEqual([n.permissions for n in answer.devices], ["rw", "rw"])

    async def test_refuses_unknown_and_unhealthy(self) -> None:
        """The pod's message names the device, the reason and the remedy."""
        tree = tree_of("a")
        tree.add_device("yellow", "b", DeviceInfo(UNHEALTHY, reason="worn out"))
        await self.serve(tree)
        for id_, status, words in (
            ("z", "NOT_FOUND", ("no device z", "delete the pod")),
            ("b", "FAILED_PRECONDITION", ("device b is unhealthy", "worn out", "fix")),
        ):
            refused = await failure_of(self.kubelet.allocate(YELLOW, ids=[id_]), AdmissionRefused)
            for part in (status, YELLOW, *words):
                self.assertIn(part, str(refused))

    async def test_refuses_devices_that_disagree(self) -> None:
        """Two devices that want one path for different nodes cannot be in one container."""
        tree = DeviceTree()
        for id_, path in (("a", "/dev/null"), ("b", "/dev/zero")):
            node = DeviceSpec(path, "/dev/it")
            tree.add_device("yellow", id_, DeviceInfo(HEALTHY, nodes=[node]))
        await self.serve(tree)
        refused = await failure_of(self.kubelet.allocate(YELLOW, 2), AdmissionRefused)
        self.assertIn("devices a and b cannot be in one container", str(refused))
        await self.kubelet.allocate(YELLOW, 1)


class KubeletTroubleTests(LifeTestCase):
    """Whatever the kubelet does, the plugin is registered again soon after it can be."""

    async def test_no_kubelet_at_the_start(self) -> None:
        """The plugin logs once that it waits, and registers when a kubelet appears."""
        tree = tree_of("a")
        tree.add_device("blue", "b", DeviceInfo(HEALTHY))
        self.manage(ToldScanner(tree))
        waiting = f"no kubelet yet: waiting for {self.directory}/kubelet.sock to appear"
        await self.log.seen(waiting)
        await self.kubelet.start()
        await self.kubelet.listed(YELLOW, ["a"])
        await self.kubelet.listed(BLUE, ["b"])
        self.assertEqual(len(self.logged("waiting")), 1)

    async def test_a_dead_kubelet_socket_at_the_start(self) -> None:
        """A kubelet that is down has left its socket: the plugin waits, and logs it once."""
        await self.kubelet.start()
        await self.kubelet.stop()
        self.manage(ToldScanner(tree_of("a")))
        await self.log.seen(
            f"no kubelet answers on {self.directory}/kubelet.sock: "
            "registration waits until one does"
        )
        await self.kubelet.start()
        await self.kubelet.listed(YELLOW, ["a"])
        self.assertEqual(len(self.logged("no kubelet")), 1)

    async def test_no_directory_at_the_start(self) -> None:
        """The plugin directory itself may appear later, and be removed and made again."""
        self.directory = os.path.join(self.directory, "device-plugins")
        self.manage(ToldScanner(tree_of("a")))
        for _ in range(2):
            os.mkdir(self.directory)
            kubelet = PatientKubelet(self.directory, force=True)
            await kubelet.start()
            await kubelet.listed(YELLOW, ["a"])
            await kubelet.stop()
            shutil.rmtree(self.directory)

    async def test_only_the_kubelets_socket_is_replaced(self) -> None:
        """A new kubelet.sock is registered with, though nothing else has changed."""
        await self.served()
        await self.kubelet.replace_socket()
        await self.kubelet.until(lambda: len(self.kubelet.registrations) == 2)
        await self.kubelet.listed(YELLOW, ["a"])

    async def test_own_socket_deleted(self) -> None:
        """The plugin's socket is there again, and the kubelet's stream goes on."""
        scanner = await self.served()
        path = os.path.join(self.directory, f"{DOMAIN}_yellow.sock")
        made = Deferred[None]()
        watch = inotify_of(reactor).watch(
            self.directory, lambda changes: None if made.called else look()
        )
        self.addCleanup(watch.stop)

        def look() -> None:
            if os.path.exists(path):
                made.callback(None)

        os.unlink(path)
        await soon(made)
        scanner.tell(tree_of("a", "b"))
        await self.kubelet.listed(YELLOW, ["a", "b"])
        self.assertEqual(self.sockets(), {f"{DOMAIN}_yellow.sock"})
        self.assertEqual(len(self.kubelet.registrations), 1)
        await self.kubelet.restart()
        await self.kubelet.listed(YELLOW, ["a", "b"])

    async def test_kubelet_lets_go_before_its_stream(self) -> None:
        """Accepted, but the stream never comes: the resource is registered again after a while."""
        impatient = self.patch(registrar, "STREAM_TIMEOUT", 0.05)
        await self.kubelet.start()
        self.manage(ToldScanner(tree_of("a")))
        accepted = self.kubelet.until(lambda: self.kubelet.registrations)
        await accepted.addCallback(lambda _: self.kubelet.resources[YELLOW].end_stream())
        await self.log.seen(
            f"{YELLOW}: the kubelet has accepted the registration but opened no stream; "
            "registering again"
        )
        impatient.restore()
        await self.kubelet.listed(YELLOW, ["a"])
        self.assertEqual(len(self.kubelet.registrations), 2)

    async def test_stream_ended_by_the_kubelet(self) -> None:
        """A kubelet that drops the stream never dials again, so the resource is registered."""
        scanner = await self.served()
        for number in range(2, 5):
            self.kubelet.resources[YELLOW].end_stream()
            await self.kubelet.until(lambda: len(self.kubelet.registrations) == number)  # noqa: B023
            await self.kubelet.listed(YELLOW, ["a"])
        scanner.tell(tree_of("b"))
        await self.kubelet.listed(YELLOW, ["b"])

    async def test_registration_refused(self) -> None:
        """A refusal is logged once with the kubelet's words, and tried again until it ends."""
        await self.kubelet.start()
        self.kubelet.refusal = "not today"
        self.manage(ToldScanner(tree_of("a")))
        await self.kubelet.until(lambda: len(self.kubelet.registrations) == 3)
        self.kubelet.refusal = None
        await self.kubelet.listed(YELLOW, ["a"])
        self.assertEqual(len(self.logged("the kubelet refused: not today")), 1)

    async def test_registration_times_out(self) -> None:
        """A kubelet that does not answer is asked again."""
        impatient = self.patch(register_by_socket, "TIMEOUT", 0.1)
        await self.kubelet.start()
        self.kubelet.hanging = True
        self.manage(ToldScanner(tree_of("a")))
        await self.log.seen(
            f"registration of {YELLOW}: no answer from the kubelet within 0.1 s; trying again"
        )
        impatient.restore()
        self.kubelet.hanging = False
        await self.kubelet.listed(YELLOW, ["a"])

    async def test_a_restart_of_many_resources_is_few_lines(self) -> None:
        """A problem of all resources is logged once, and an absence of milliseconds never."""
        self.patch(registrar, "STREAM_TIMEOUT", PATIENCE)
        self.patch(register_by_socket, "TIMEOUT", PATIENCE)
        await self.kubelet.start()
        tree = DeviceTree()
        for number in range(40):
            tree.add_device(f"yellow-{number}", "a", DeviceInfo(HEALTHY))
        self.manage(ToldScanner(tree))
        for number in range(40):
            await self.kubelet.listed(f"{YELLOW}-{number}", ["a"])
        await self.kubelet.until(lambda: self.logged("registered"))
        del self.log.events[:]
        begun = reactor.seconds()
        await self.kubelet.stop()
        await self.kubelet.start()
        for number in range(40):
            await self.kubelet.listed(f"{YELLOW}-{number}", ["a"])
        was_short = reactor.seconds() - begun < news.LASTING
        await self.kubelet.until(lambda: self.logged("registered"))
        # On a busy machine it may last, and be logged in a few parts.
        self.assertLess(len(self.log.events), 4 if was_short else 10, self.log.events)
        self.assertLessEqual(len(self.logged("no kubelet")), 0 if was_short else 1)

    async def test_fifty_restarts(self) -> None:
        """After each of fifty restarts a change is seen; no descriptor or thread is left behind.

        Hardly one is left to the garbage collector.
        """
        scanner = await self.served()
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        before = resources_in_use()
        await self.restart_fifty_times(scanner)
        # What a restart leaves behind is there fifty times.  gRPC leaves calls that are cancelled
        # to the garbage collector, some on a busy machine; and then it has more threads.
        await until(lambda: max(map(sub, resources_in_use(), before)) < 40)
        gc.collect()
        await until(lambda: max(map(sub, resources_in_use(), before)) < 4)


class StreamTests(LifeTestCase):
    """Two ListAndWatch streams at once."""

    async def test_both_get_every_final_state(self) -> None:
        """Also while one of them is not read, and when that one is read at last."""
        scanner = await self.served()
        path = os.path.join(self.directory, f"{DOMAIN}_yellow.sock")
        channel = Channel(path, reactor=reactor)
        self.addCleanup(channel.close)
        unread = channel.stream(LIST_AND_WATCH, Empty(), ListAndWatchResponse)
        await unread.read()
        for number in range(20):  # each of half a megabyte
            ids = [f"{n:06d}-{number:02d}-{'x' * 50}" for n in range(6000)]
            scanner.tell(tree_of(*ids))
            await self.kubelet.listed(YELLOW, ids)
        scanner.tell(tree_of("last"))
        await self.kubelet.listed(YELLOW, ["last"])
        messages = 0
        async for message in unread:
            messages += 1
            if [device.ID for device in message.devices] == ["last"]:
                break
        self.assertLess(messages, 15)
        self.assertEqual(len(self.kubelet.registrations), 1)
        unread.cancel()

    async def test_another_client_that_leaves_disturbs_nobody(self) -> None:
        """Only the kubelet's own stream counts for the session."""
        scanner = await self.served()
        path = os.path.join(self.directory, f"{DOMAIN}_yellow.sock")
        channel = Channel(path, reactor=reactor)
        stream = channel.stream(LIST_AND_WATCH, Empty(), ListAndWatchResponse)
        await stream.read()
        await channel.close()
        scanner.tell(tree_of("b"))
        await self.kubelet.listed(YELLOW, ["b"])
        self.assertEqual(len(self.kubelet.registrations), 1)

    async def test_another_client_that_comes_first(self) -> None:
        """One that looks again at once is not taken for the kubelet, whose end is noticed."""
        await self.served()
        path = os.path.join(self.directory, f"{DOMAIN}_yellow.sock")
        channel = Channel(path, reactor=reactor)

        async def look() -> None:
            while True:
                async for _ in channel.stream(LIST_AND_WATCH, Empty(), ListAndWatchResponse):
                    pass

        looking = Deferred.fromCoroutine(look())
        self.addCleanup(self.assertFailure, looking, CallFailed, CancelledError)
        self.addCleanup(channel.close)
        for number in range(2, 12):
            self.kubelet.resources[YELLOW].end_stream()
            await self.kubelet.until(lambda: len(self.kubelet.registrations) == number)  # noqa: B023
            await self.kubelet.listed(YELLOW, ["a"])


class RivalTests(LifeTestCase):
    """Two plugins for one resource."""

    async def test_the_first_keeps_it(self) -> None:
        """The second logs once who has the resource, and takes over when that process ends."""
        await self.kubelet.start()
        first = self.manage(ToldScanner(tree_of("first")))
        await self.kubelet.listed(YELLOW, ["first"])
        self.manage(ToldScanner(tree_of("second")))
        await self.log.seen(
            f"{YELLOW}: {self.directory}/{DOMAIN}_yellow.sock: this process ({os.getpid()}) "
            "serves this resource already; waiting until it ends"
        )
        self.assertEqual(list(self.kubelet.devices(YELLOW)), ["first"])
        await first.stopService()
        await self.kubelet.listed(YELLOW, ["second"])
        self.assertEqual(len(self.logged("serves this resource already")), 1)


class HangingScanner(WatchingScanner):
    """Hangs on demand, in a scan."""

    def __init__(self, directory: str) -> None:
        super().__init__([directory])
        self.release = threading.Event()
        self.hang = False
        self.scans = 0
        self.error: Exception | None = None

    def discover(self) -> DeviceTree:
        """Return, raise or hang."""
        self.scans += 1
        if self.error is not None:
            raise self.error
        if self.hang:
            self.release.wait(200)
        return tree_of("a", f"scan-{self.scans}")


class ScannerTroubleTests(LifeTestCase):
    """Whatever the scanner does, the devices stay and the process can be stopped."""

    async def scanning(self, **settings: Any) -> HangingScanner:
        """A scanner whose first scan was good."""
        await self.kubelet.start()
        watched = os.path.join(self.directory, "watched")
        os.mkdir(watched)
        scanner = HangingScanner(watched)
        self.manager = self.manage(scanner, **settings)
        await self.kubelet.listed(YELLOW, ["a", "scan-1"])
        return scanner

    def touch(self, name: str) -> None:
        """Cause an event."""
        with open(os.path.join(self.directory, "watched", name), "w", encoding="ascii"):
            pass

    async def test_raises(self) -> None:
        """Logged with its stack and the scanner's name; the devices stay; tried again."""
        scanner = await self.scanning()
        scanner.error = OSError("the bus is gone")
        self.touch("x")
        await self.until_logged(": the scan failed")
        # Its name has a number if the scanner of another test is still there.
        self.assertIn(
            "tests.integration.test_life:HangingScanner", self.logged("the scan failed")[0]
        )
        self.assertEqual(self.kubelet.allocatable(YELLOW), 2)
        scanner.error = None
        await self.kubelet.until(
            lambda: (
                self.kubelet.devices(YELLOW).keys() > {"a"}
                and "scan-1" not in self.kubelet.devices(YELLOW)
            )
        )
        self.assertGreaterEqual(len(self.flushLoggedErrors(OSError)), 1)

    async def test_hangs(self) -> None:
        """Reported once with the stack, not called again until it returns; stop is at once."""
        scanner = await self.scanning(scan_timeout=0.1)
        self.addCleanup(scanner.release.set)
        scanner.hang = True
        self.touch("x")
        await self.until_logged("self.release.wait(200)")  # the first scan may take long, too
        (line,) = self.logged("self.release.wait(200)")
        self.assertIn("the scan has not returned for 0.1 s", line)
        self.touch("y")
        self.assertEqual(scanner.scans, 2)
        self.assertEqual(self.kubelet.allocatable(YELLOW), 2)
        scanner.hang = False
        scanner.release.set()
        await self.kubelet.listed(YELLOW, ["a", f"scan-{scanner.scans}"])

    async def test_stops_while_it_hangs(self) -> None:
        """Stopping does not wait for a scan."""
        scanner = await self.scanning(scan_timeout=0.1)
        self.addCleanup(scanner.release.set)
        scanner.hang = True
        self.touch("x")
        await self.until_logged("self.release.wait(200)")
        await soon(self.manager.stopService())
        self.assertEqual(self.sockets(), set())

    def until_logged(self, part: str) -> "Deferred[None]":
        """Fires when a line with this text has been logged."""
        return self.kubelet_until(lambda: self.logged(part))

    def kubelet_until(self, condition: Any) -> "Deferred[None]":
        """Fires when `condition` is true, looked at with every log line."""
        done: Deferred[None] = Deferred()

        def look(event: LogEvent) -> None:
            if condition() and not done.called:
                done.callback(None)

        observe(self, look)
        if condition():
            done.callback(None)
        return soon(done)


def resources_in_use() -> tuple[int, int]:
    """Open descriptors and threads of this process."""
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))


def inotify_descriptors() -> int:
    """Open inotify instances of this process."""
    return sum(link == "anon_inode:inotify" for link in _links())


def _links() -> Iterable[str]:
    for name in os.listdir("/proc/self/fd"):
        try:
            yield os.readlink(f"/proc/self/fd/{name}")
        except OSError:  # the descriptor of this very listing
            continue


class UntidyScannerTests(LifeTestCase):
    """Scanners that notify at odd times, and devices that cannot be encoded."""

    async def test_a_late_notify_does_not_outlive_a_stop(self) -> None:
        """A tree that comes between a stop and the next start does not count."""
        await self.kubelet.start()
        scanner = ToldScanner(tree_of("a"))
        manager = self.manage(scanner)
        await self.kubelet.listed(YELLOW, ["a"])
        await manager.stopService()
        scanner.tell(tree_of("a"))
        manager.startService()
        await self.kubelet.listed(YELLOW, ["a"])

    async def test_one_resource_that_fails_costs_no_other(self) -> None:
        """A failure inside one resource is logged; the others are served, and it is tried again."""
        await self.kubelet.start()
        failing = True

        def listed_part(device_id: str, *rest: Any) -> bytes:
            if failing and device_id == "poison":
                raise ValueError("cannot be encoded")
            return messages.listed_part(device_id, *rest)

        self.patch(inventory, "listed_part", listed_part)
        tree = tree_of("poison")
        for kind in ("blue", "red", "green"):
            tree.add_device(kind, "fine", DeviceInfo(HEALTHY))
        scanner = ToldScanner(tree)
        self.manage(scanner)
        for kind in ("blue", "red", "green"):
            await self.kubelet.listed(f"{DOMAIN}/{kind}", ["fine"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        failing = False
        scanner.tell(tree)
        await self.kubelet.listed(YELLOW, ["poison"])

    async def test_what_failed_is_tried_again_by_itself(self) -> None:
        """A resource that cannot start, or change, does so soon after it can, with no new tree."""
        self.patch(manager_module, "SOON", 0.02)
        await self.kubelet.start()
        full = OSError(errno.EMFILE, "Too many open files")
        tried: list[CdiParts] = []

        def fail(parts: CdiParts, devices: Any) -> None:
            tried.append(parts)
            raise full

        patch = self.patch(CdiParts, "describe", fail)
        scanner = ToldScanner(tree_of("a"))
        manager = self.manage(scanner)
        await until(lambda: len(tried) >= 3)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertFalse(any(isinstance(child, Resource) for child in manager))
        patch.restore()
        await self.kubelet.listed(YELLOW, ["a"])
        patch = self.patch(CdiParts, "describe", fail)
        scanner.tell(tree_of("a", "b"))
        await until(lambda: len(tried) >= 6)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual(self.kubelet.allocatable(YELLOW), 1)
        patch.restore()
        await self.kubelet.listed(YELLOW, ["a", "b"])

    async def test_stops_while_something_failed(self) -> None:
        """A stopped manager does not try again what failed."""
        self.patch(CdiParts, "describe", None)
        scanner = ToldScanner(tree_of("a"))
        manager = self.manage(scanner)
        await until(lambda: scanner.notifier)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        await manager.stopService()

    async def test_a_failed_update_leaves_the_devices(self) -> None:
        """A change that cannot be encoded changes nothing, and the next one is taken."""
        await self.kubelet.start()
        scanner = ToldScanner(tree_of("a", "b"))
        self.manage(scanner)
        await self.kubelet.listed(YELLOW, ["a", "b"])
        with_patch = self.patch(inventory, "listed_part", None)
        scanner.tell(tree_of("a", "c"))
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        with_patch.restore()
        scanner.tell(tree_of("a", "c"))
        await self.kubelet.listed(YELLOW, ["a", "c"])

    async def test_notifying_inside_scan_starts_a_resource_once(self) -> None:
        """A scanner that notifies at once has its resources started once."""
        await self.served()
        self.assertEqual(len(self.logged(f"{YELLOW}: 1 device")), 1)

    async def test_stops_while_a_resource_retires(self) -> None:
        """A stop waits for what retires, and leaves nothing in the directory or the log."""
        await self.kubelet.start()
        scanner = ToldScanner(tree_of("a"))
        manager = self.manage(scanner)
        await self.kubelet.listed(YELLOW, ["a"])
        scanner.tell(DeviceTree())
        await manager.stopService()
        await self.kubelet.stop()
        self.assertEqual([name for name in os.listdir(self.directory) if "kubelet" not in name], [])
        self.assertEqual(self.flushLoggedErrors(), [])


class UntidyHookTests(LifeTestCase):
    """Hooks that would end the process, or do not end themselves."""

    async def refused(self, allocate: Any) -> str:
        """The pod's message when the allocator is `allocate`."""

        @implementer(IAllocator)
        class Scanner(ToldScanner):  # type: ignore[misc]
            """With the hook."""

        scanner = Scanner(tree_of("a"))
        scanner.allocate = allocate  # type: ignore[attr-defined]
        await self.kubelet.start()
        self.manager = self.manage(scanner)
        await self.kubelet.listed(YELLOW, ["a"])
        return str(await failure_of(self.kubelet.allocate(YELLOW), AdmissionRefused))

    async def test_exit_is_a_failure(self) -> None:
        """A hook that calls sys.exit has failed, and the process lives."""

        def leave(request: object) -> None:
            raise SystemExit(3)

        self.assertIn("SystemExit", await self.refused(leave))
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)

    async def test_a_hook_that_cannot_be_cancelled_does_not_hold_up_the_stop(self) -> None:
        """The stop logs it and goes on."""
        entered: Deferred[None] = Deferred()
        release: Deferred[None] = Deferred()

        async def linger(request: object) -> None:
            entered.callback(None)
            while not release.called:
                try:
                    await Deferred()
                except CancelledError:
                    await release

        call = Deferred.fromCoroutine(self.refused(linger))
        await entered
        await self.manager.stopService()
        self.assertEqual(len(self.logged("do not end though they were cancelled")), 1)
        release.callback(None)
        await call.addBoth(lambda _: None)  # whatever the caller got
        self.flushLoggedErrors()
