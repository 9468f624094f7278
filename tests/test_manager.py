"""Tests for `twistdp.manager`: what a stop leaves behind, without a kubelet."""

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from tests.helpers import Gate, soon, temporary_directory
from twistdp import HEALTHY, DeviceInfo, DeviceTree, INotifier, IScanner, Manager, Settings
from twistdp import manager as manager_module
from twistdp.condition import ResourceCondition, Standing
from twistdp.resource import Resource


@implementer(IScanner)
class OneDevice:
    """Finds one device, when the test says so."""

    def scan(self, notifier: INotifier) -> None:
        """Keep whom to notify."""
        self.notifier = notifier

    def find(self) -> None:
        """Notify of it."""
        tree = DeviceTree()
        tree.add_device("widget", "a", DeviceInfo(HEALTHY))
        self.notifier.notify(tree)


class StopTests(TestCase):
    """A manager that is stopped while something of it is not done."""

    async def setUp(self) -> None:
        """A manager in a directory without a kubelet."""
        await deferLater(reactor, 0.0)  # the reactor's thread is known when it runs
        self.scanner = OneDevice()
        settings = Settings(plugin_dir=temporary_directory(self))
        self.manager = Manager("x.example.com", self.scanner, settings=settings, reactor=reactor)
        self.addCleanup(lambda: self.manager.running and self.manager.stopService())

    async def test_cleaning_is_cancelled(self) -> None:
        """The search for leftovers ends with the service, and begins again with its next start."""
        gates: list[Gate] = []

        def clean(*_: Any, **__: Any) -> Any:
            gates.append(Gate())

            async def cleaning() -> None:
                await gates[-1].wait()

            return cleaning()

        self.patch(manager_module, "clean_leftovers", clean)
        for started in (1, 2):
            self.manager.startService()
            self.assertFalse(self.manager.condition.scanned)
            self.scanner.find()
            self.assertEqual(len(gates), started)
            self.assertTrue(self.manager.condition.scanned)
            await soon(self.manager.stopService())
            self.assertTrue(gates[-1].cancelled.called)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_what_failed_is_forgotten(self) -> None:
        """What could not be served before a stop is no failure of the next start."""

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
