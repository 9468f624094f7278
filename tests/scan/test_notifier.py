"""Tests for `twistdp.scan.notifier`."""

import errno
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twistdp.errors import BadTree
from twistdp.host.limits import SOON
from twistdp.model.devices import HEALTHY, DeviceInfo, DeviceTree
from twistdp.model.interfaces import INotifier
from twistdp.scan import notifier as notifier_module
from twistdp.scan.notifier import LARGE, Notifier


class FakeWorker:
    """A thread whose calls are made when the test says so."""

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[[], Any], Deferred[Any]]] = []
        self.can_start = True

    def call(self, function: Callable[[], Any]) -> Deferred[Any]:
        """Keep a call."""
        if not self.can_start:
            return fail(OSError(errno.EAGAIN, "can't start new thread"))
        done: Deferred[Any] = Deferred()
        self.calls.append((function, done))
        return done

    def run(self) -> None:
        """Make the oldest call."""
        function, done = self.calls.pop(0)
        try:
            outcome = function()
        except Exception:
            outcome = Failure()
        done.callback(outcome)

    def stop(self) -> None:
        """Drop all."""
        self.calls.clear()


def tree_of(count: int, kind: str = "thing") -> DeviceTree:
    """A tree of so many devices."""
    tree = DeviceTree()
    for number in range(count):
        tree.add_device(kind, str(number), DeviceInfo(HEALTHY))
    return tree


class NotifierTests(SynchronousTestCase):
    """Tests for `Notifier`."""

    def setUp(self) -> None:
        """Make one whose preparation is a copy, and start it."""
        self.delivered: list[Any] = []
        self.clock = Clock()
        self.worker = FakeWorker()
        self.notifier = Notifier("acme:Scanner", self.new_preparation, self.deliver, self.clock)
        self.notifier._worker = self.worker  # type: ignore[assignment]
        self.patch(notifier_module, "isInIOThread", lambda: True)
        self.preparations = 0
        self.notifier.start()

    def new_preparation(self) -> Any:
        """Count it."""
        self.preparations += 1
        return lambda tree: self.prepare(tree)

    def prepare(self, tree: DeviceTree) -> Any:
        """Prepare a tree."""
        return tree.copy()

    def deliver(self, updates: Any) -> None:
        """Keep what is delivered."""
        self.delivered.append(updates)

    def broken(self, *_: Any) -> Any:
        """Fail."""
        raise ZeroDivisionError("by zero")

    def test_interface(self) -> None:
        """It is what scanners notify."""
        self.assertTrue(verifyObject(INotifier, self.notifier))

    def test_small(self) -> None:
        """A small tree is delivered at once, prepared."""
        tree = tree_of(LARGE - 1)
        self.notifier.notify(tree)
        self.assertEqual(self.delivered, [tree])
        self.assertIsNot(self.delivered[0], tree)
        self.assertEqual(self.worker.calls, [])

    def test_large(self) -> None:
        """A large one is prepared in the thread, whatever its devices' types."""
        tree = tree_of(LARGE // 2)
        tree.add_devices("other", tree_of(LARGE // 2)["thing"])
        self.notifier.notify(tree)
        self.assertEqual(self.delivered, [])
        self.worker.run()
        self.assertEqual(self.delivered, [tree])

    def test_changed_meanwhile(self) -> None:
        """It is taken as it was, and its scanner may go on with it."""
        tree = tree_of(LARGE)
        self.notifier.notify(tree)
        tree.add_device("other", "a", DeviceInfo(HEALTHY))
        tree.add_device("thing", "0", DeviceInfo(HEALTHY, envs={"A": "1"}))
        self.worker.run()
        self.assertEqual(self.delivered, [tree_of(LARGE)])
        self.assertEqual(tree.repeated, set())

    def test_order(self) -> None:
        """No tree overtakes another, however small it is."""
        self.notifier.notify(tree_of(LARGE))
        self.notifier.notify(tree_of(1))
        self.assertEqual(len(self.worker.calls), 1)
        self.worker.run()
        self.worker.run()
        self.assertEqual(self.delivered, [tree_of(LARGE), tree_of(1)])
        self.notifier.notify(tree_of(2))
        self.assertEqual(len(self.delivered), 2)
        self.worker.run()
        self.assertEqual(self.delivered[-1], tree_of(2))

    def test_newest(self) -> None:
        """Of those that come meanwhile only the newest is kept."""
        self.notifier.notify(tree_of(LARGE))
        for count in range(10):
            self.notifier.notify(tree_of(count))
        self.worker.run()
        self.worker.run()
        self.assertEqual(self.delivered, [tree_of(LARGE), tree_of(9)])
        self.assertEqual(self.worker.calls, [])

    def test_while_one_is_delivered(self) -> None:
        """A tree that comes while one is delivered is delivered after it."""
        deliver = self.deliver

        def delivered(updates: Any) -> None:
            if not self.delivered:
                self.notifier.notify(tree_of(2))
            deliver(updates)

        self.notifier._deliver = delivered
        self.notifier.notify(tree_of(1))
        self.assertEqual(self.delivered, [tree_of(1), tree_of(2)])

    def test_from_a_thread(self) -> None:
        """From any other thread it is taken in the reactor's, as it was."""
        self.patch(notifier_module, "isInIOThread", lambda: False)
        calls: list[tuple[Any, ...]] = []
        self.notifier._reactor.callFromThread = lambda *call: calls.append(call)
        tree = tree_of(1)
        self.notifier.notify(tree)
        tree.add_device("thing", "b", DeviceInfo(HEALTHY))
        self.assertEqual(self.delivered, [])
        ((take, *arguments),) = calls
        take(*arguments)
        self.assertEqual(self.delivered, [tree_of(1)])

    def test_stop(self) -> None:
        """A stop drops trees that were taken; trees after the next start are delivered."""
        self.notifier.notify(tree_of(LARGE))
        self.notifier.notify(tree_of(1))
        self.notifier.stop()
        self.notifier.notify(tree_of(3))
        self.assertEqual(self.worker.calls, [])
        self.notifier.start()
        self.notifier.notify(tree_of(2))
        self.worker.run()
        self.assertEqual((self.delivered, self.worker.calls), ([tree_of(2)], []))
        self.assertEqual(self.preparations, 2)  # to the second all is new, as to the receiver

    def test_no_tree(self) -> None:
        """Anything but a tree is logged and dropped."""
        values: list[Any] = [None, 5, {}]
        for value in values:
            self.notifier.notify(value)
            self.assertEqual(len(self.flushLoggedErrors(BadTree)), 1)
        self.assertEqual((self.delivered, self.clock.getDelayedCalls()), ([], []))

    def test_no_thread(self) -> None:
        """Where the system has no thread left, the newest tree is delivered when it has one."""
        self.worker.can_start = False
        self.notifier.notify(tree_of(LARGE))
        self.notifier.notify(tree_of(1))
        self.clock.advance(SOON)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.worker.can_start = True
        self.clock.advance(SOON)
        self.worker.run()
        self.assertEqual((self.delivered, self.worker.calls), ([tree_of(1)], []))

    def test_failure(self) -> None:
        """A tree that cannot be prepared is tried again every second, and that is logged once."""
        patch = self.patch(self, "prepare", self.broken)
        self.notifier.notify(tree_of(1))
        self.clock.advance(SOON)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        patch.restore()
        self.clock.advance(SOON)
        self.assertEqual(self.delivered, [tree_of(1)])
        self.patch(self, "prepare", self.broken)
        self.notifier.notify(tree_of(2))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        for _ in range(2):
            self.notifier.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
