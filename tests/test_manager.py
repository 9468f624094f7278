"""Tests for `twistdp.manager`, without a kubelet."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs, formatEvent
from twisted.python.threadable import isInIOThread
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from tests.support.helpers import soon, temporary_directory, until
from tests.support.updates import first
from twistdp import (
    HEALTHY,
    UNHEALTHY,
    DeviceInfo,
    DeviceTree,
    INotifier,
    IScanner,
    Manager,
    Mount,
    Settings,
)
from twistdp import manager as manager_module
from twistdp.cdi import Leftovers
from twistdp.errors import BadScanner, BadTree
from twistdp.model.acceptance import Update
from twistdp.model.names import private_directory
from twistdp.resource.inventory import Inventory
from twistdp.resource.resource import Resource
from twistdp.scan.notifier import LARGE
from twistdp.scan.sightings import Sightings
from twistdp.scan.vetting import Vetting
from twistdp.scanners.globbing import GlobScanner
from twistdp.status.condition import ResourceCondition, Standing


@implementer(IScanner)
class OneDevice:
    """Finds one device, when the test says so."""

    def scan(self, notifier: INotifier) -> None:
        """Keep whom to notify."""
        self.notifier = notifier

    def find(self, **fields: Any) -> None:
        """Notify of it."""
        tree = DeviceTree()
        tree.add_device("widget", "a", DeviceInfo(HEALTHY, **fields))
        self.notifier.notify(tree)


def tree_of(*ids: str) -> DeviceTree:
    """A tree with devices of one type."""
    tree = DeviceTree()
    for id_ in ids:
        tree.add_device("widget", id_, DeviceInfo(HEALTHY))
    return tree


class ConstructorTests(SynchronousTestCase):
    """The arguments of a manager."""

    def test_no_scanner(self) -> None:
        """Anything but a scanner is refused by its name."""
        error = self.assertRaises(BadScanner, Manager, "x.example.com", DeviceTree())
        self.assertIn("scanner twistdp.model.devices:DeviceTree: not a scanner", str(error))


class ManagerCase(TestCase):
    """A manager that is not started yet."""

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """A manager in a directory without a kubelet."""
        await deferLater(reactor, 0.0)  # the reactor's thread is known when it runs
        self.scanner = OneDevice()
        self.directory = temporary_directory(self)
        settings = Settings(plugin_dir=self.directory)
        self.manager = Manager("x.example.com", self.scanner, settings=settings, reactor=reactor)
        self.addCleanup(lambda: self.manager.running and self.manager.stopService())


class NotifyTests(ManagerCase):
    """Trees, from wherever they come."""

    async def test_missed_updates(self) -> None:
        """A resource that failed to take updates gets their changes with the next one.

        A failed update is tried again by itself.
        """
        self.manager.startService()
        self.scanner.notifier.notify(tree_of("a", "b"))
        (resource,) = (child for child in self.manager if isinstance(child, Resource))
        update = Resource.update
        failed: list[Update] = []

        def fail(_: Resource, update: Update) -> None:
            failed.append(update)
            raise ValueError("not now")

        patch = self.patch(Resource, "update", fail)
        self.scanner.notifier.notify(tree_of("b", "c"))
        self.scanner.notifier.notify(tree_of("c", "d"))
        self.scanner.notifier.notify(tree_of("a", "c", "d"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        patch.restore()
        taken: list[Update] = []

        def take(resource: Resource, found: Update) -> None:
            taken.append(found)
            update(resource, found)

        self.patch(Resource, "update", take)
        self.scanner.notifier.notify(tree_of("a", "c", "e"))
        (last,) = taken
        self.assertEqual((set(last.changed), set(last.removed)), ({"a", "c", "e"}, {"b", "d"}))
        self.assertEqual(set(failed[-1].changed), {"a", "c", "d"})
        listed = resource.inventory.listed
        self.assertEqual(listed, Inventory("x/y", first(last.devices)).listed)

    async def test_sightings(self) -> None:
        """The nodes of a scanner with a loop of its own are noted, and forgotten at the stop."""
        noted: list[Any] = []

        class Recording(Sightings):
            """Records its arguments."""

            def look(self, resource: str, gone: Any, fresh: Any, reporter: object = None) -> None:
                """Keep it."""
                noted.append((resource, list(fresh)))

            def forget(self, resources: Any) -> None:
                """Keep it."""
                noted.append(list(resources))

        sightings = Recording()
        self.patch(manager_module, "sightings_of", lambda _: sightings)
        self.manager.startService()
        self.scanner.find()
        await soon(self.manager.stopService())
        self.assertEqual(noted, [("x.example.com/widget", ["a"]), ["x.example.com/widget"]])

    async def test_from_a_thread(self) -> None:
        """The thread may go on to change its tree; it is taken as it was."""
        self.manager.startService()
        tree = tree_of("a")

        def work() -> None:
            self.scanner.notifier.notify(tree)
            tree.add_device("gadget", "b", DeviceInfo(HEALTHY))
            tree.add_device("widget", "a", DeviceInfo(UNHEALTHY))

        await soon(deferToThread(work))
        await soon(deferLater(reactor, 0.0))
        self.assertEqual(len(self.manager.condition.resources), 1)
        self.assertEqual(tree.repeated, set())  # it was another scan's

    async def test_large(self) -> None:
        """The paths of a large tree are looked at in a thread, and its devices are served."""
        threads: list[bool] = []
        begin = Vetting.begin

        def recorded(vetting: Vetting) -> None:
            threads.append(isInIOThread())
            begin(vetting)

        self.patch(Vetting, "begin", recorded)
        self.manager.startService()
        self.scanner.notifier.notify(tree_of("a"))
        self.scanner.notifier.notify(tree_of(*map(str, range(LARGE))))
        self.scanner.notifier.notify(tree_of())
        self.assertEqual(threads[0], True)
        await until(lambda: len(threads) == 3 and not self.manager.condition.resources)
        self.assertEqual(threads, [True, False, False])
        self.assertEqual(self.manager.condition.resources, ())

    async def test_stop_with_a_large_tree(self) -> None:
        """A large tree that is being prepared when the service stops is dropped."""
        self.manager.startService()
        self.scanner.notifier.notify(tree_of(*map(str, range(LARGE))))
        await soon(self.manager.stopService())
        await soon(deferLater(reactor, 0.0))
        self.assertEqual(self.manager.condition.resources, ())
        self.assertFalse(self.manager.condition.scanned)

    async def test_nonsense_from_a_thread(self) -> None:
        """Anything but a tree is refused from a thread too."""
        self.manager.startService()
        nonsense: Any = 5
        await soon(deferToThread(self.scanner.notifier.notify, nonsense))
        await soon(deferLater(reactor, 0.0))
        self.assertEqual(len(self.flushLoggedErrors(BadTree)), 1)

    async def test_after_a_stop(self) -> None:
        """A tree that comes after the stop is dropped."""
        self.manager.startService()
        await soon(self.manager.stopService())
        self.scanner.find()
        self.assertEqual(self.manager.condition.resources, ())
        self.assertFalse(self.manager.condition.scanned)


class StopTests(ManagerCase):
    """A manager that is stopped while something of it is not done."""

    async def test_leftovers(self) -> None:
        """Files of earlier processes are removed at the start, and others at the end.

        In between the process keeps the clock steady, and its descriptors from its children.
        """
        done: list[str] = []
        for name in ("keep_steady", "keep_from_children", "begin_keeping", "end_keeping"):
            self.patch(manager_module, name, lambda _, name=name: done.append(name))
        left = private_directory(f"{self.directory}/x.sock")
        os.mkdir(left, 0o700)
        self.manager.startService()
        self.assertFalse(os.path.exists(left))
        self.assertEqual(done, ["keep_steady", "keep_from_children", "begin_keeping"])
        os.mkdir(left, 0o700)
        await soon(self.manager.stopService())
        self.assertFalse(os.path.exists(left))
        self.assertEqual(done[3:], ["end_keeping"])

    async def test_what_cannot_be_removed(self) -> None:
        """It is logged at the start, and not again at the end."""
        os.makedirs(f"{private_directory(f'{self.directory}/x.sock')}/deep", 0o700)
        with capturedLogs() as events:
            self.manager.startService()
            await soon(self.manager.stopService())
        said = [event for event in events if "cannot remove" in event["log_format"]]
        self.assertEqual(len(said), 1)

    async def test_cleaning(self) -> None:
        """Specs of resources that are gone are removed from the first scan to the stop.

        The next start begins again.
        """
        done: list[str] = []
        served: list[Callable[[], Iterable[str]]] = []

        class Recording(Leftovers):
            """Records what it is called for."""

            def __init__(
                self, namespace: str, of: Callable[[], Iterable[str]], **more: Any
            ) -> None:
                super().__init__(namespace, of, **more)
                served.append(of)

            def look(self) -> None:
                done.append("look")

            def gone(self, resource: str) -> None:
                done.append(resource)

            def stop(self) -> None:
                done.append("stop")

        self.patch(manager_module, "Leftovers", Recording)
        for _ in range(2):
            self.manager.startService()
            self.assertFalse(self.manager.condition.scanned)
            self.scanner.find()
            self.assertTrue(self.manager.condition.scanned)
            self.assertEqual(list(served[-1]()), ["x.example.com/widget"])
            self.scanner.notifier.notify(DeviceTree())
            self.assertEqual(list(served[-1]()), [])
            # Before its spec is free, so no look takes the spec for that of an earlier process.
            self.assertEqual(done[-1], "x.example.com/widget")
            await soon(self.manager.stopService())
        self.assertEqual(done, 2 * ["look", "x.example.com/widget", "stop"])

    async def test_what_failed_is_forgotten(self) -> None:
        """A failure before a stop is forgotten at the next start."""

        def fail(_: Resource) -> Deferred[None]:
            raise OSError(24, "Too many open files")

        patch = self.patch(Resource, "startService", fail)
        self.manager.startService()
        self.scanner.find()
        failing = ResourceCondition(0, Standing.FAILING)
        self.assertEqual(self.manager.condition.resources, (failing,))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        patch.restore()
        await soon(self.manager.stopService())
        self.manager.startService()
        self.assertEqual(self.manager.condition.resources, ())


class PathTests(TestCase):
    """Devices with paths that others could change, of a scanner that does not check them."""

    async def test_left_out(self) -> None:
        """They are left out, unless that is switched off, by the settings or by the scanner."""
        await deferLater(reactor, 0.0)
        bad = temporary_directory(self)
        os.chmod(bad, 0o777)
        for by_settings, by_scanner in ((True, True), (False, True), (True, False)):
            scanner = OneDevice()
            if not by_scanner:
                scanner.check_paths = False  # type: ignore[attr-defined]
            settings = Settings(plugin_dir=temporary_directory(self), check_paths=by_settings)
            manager = Manager("x.example.com", scanner, settings=settings, reactor=reactor)
            manager.startService()
            with capturedLogs() as events:
                scanner.find(mounts=[Mount(f"{bad}/x", "/x")])
            refused = by_settings and by_scanner
            self.assertEqual(len(manager.condition.resources), 0 if refused else 1)
            text = " ".join(formatEvent(event) for event in events)
            self.assertEqual(f"others may write in {bad}" in text, refused)
            await soon(manager.stopService())

    def test_scanner_knows(self) -> None:
        """A watching scanner gets the setting, because it may check paths itself."""
        for given in (True, False):
            scanner = GlobScanner("x", "/dev/null")
            Manager("x.example.com", scanner, settings=Settings(check_paths=given))
            self.assertEqual(scanner.check_paths, given)
