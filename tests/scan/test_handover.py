"""Tests for `twistdp.scan.handover`."""

import errno
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twistdp.model.devices import HEALTHY, DeviceInfo, DeviceTree
from twistdp.scan.handover import LARGE, Handover


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


class HandoverTests(SynchronousTestCase):
    """Tests for `Handover`."""

    def setUp(self) -> None:
        """Make one whose preparation is a copy."""
        self.delivered: list[DeviceTree] = []
        self.worker = FakeWorker()
        self.handover = Handover(
            "the scanner",
            lambda tree: self.prepare(tree),
            self.delivered.append,
            self.worker,  # type: ignore[arg-type]
        )

    def prepare(self, tree: DeviceTree) -> DeviceTree:
        """Prepare a tree."""
        return tree.copy()

    def test_small(self) -> None:
        """A small tree is delivered at once, prepared."""
        tree = tree_of(LARGE - 1)
        self.handover.take(tree)
        self.assertEqual(self.delivered, [tree])
        self.assertIsNot(self.delivered[0], tree)
        self.assertEqual(self.worker.calls, [])

    def test_large(self) -> None:
        """A large one is prepared in the thread, whatever its devices' types."""
        tree = tree_of(LARGE // 2)
        tree.add_devices("other", tree_of(LARGE // 2)["thing"])
        self.handover.take(tree)
        self.assertEqual(self.delivered, [])
        self.worker.run()
        self.assertEqual(self.delivered, [tree])

    def test_changed_meanwhile(self) -> None:
        """It is taken as it was, and its scanner may go on with it."""
        tree = tree_of(LARGE)
        self.handover.take(tree)
        tree.add_device("other", "a", DeviceInfo(HEALTHY))
        tree.add_device("thing", "0", DeviceInfo(HEALTHY, envs={"A": "1"}))
        self.worker.run()
        self.assertEqual(self.delivered, [tree_of(LARGE)])
        self.assertEqual(tree.repeated, set())

    def test_order(self) -> None:
        """No tree overtakes another, however small it is."""
        self.handover.take(tree_of(LARGE))
        self.handover.take(tree_of(1))
        self.assertEqual(len(self.worker.calls), 1)
        self.worker.run()
        self.worker.run()
        self.assertEqual(self.delivered, [tree_of(LARGE), tree_of(1)])
        self.handover.take(tree_of(2))
        self.assertEqual(len(self.delivered), 2)
        self.worker.run()
        self.assertEqual(self.delivered[-1], tree_of(2))

    def test_newest(self) -> None:
        """Of those that come meanwhile only the newest is kept."""
        self.handover.take(tree_of(LARGE))
        for count in range(10):
            self.handover.take(tree_of(count))
        self.worker.run()
        self.worker.run()
        self.assertEqual(self.delivered, [tree_of(LARGE), tree_of(9)])
        self.assertEqual(self.worker.calls, [])

    def test_stop(self) -> None:
        """After a stop nothing comes of what was taken, and what is taken then is delivered."""
        self.handover.take(tree_of(LARGE))
        self.handover.take(tree_of(1))
        self.handover.stop()
        self.assertEqual(self.worker.calls, [])
        self.handover.take(tree_of(2))
        self.worker.run()
        self.assertEqual((self.delivered, self.worker.calls), ([tree_of(2)], []))

    def test_no_thread(self) -> None:
        """Where the system has no thread left, trees are prepared all the same, in order."""
        self.worker.can_start = False
        self.handover.take(tree_of(LARGE))
        self.handover.take(tree_of(1))
        self.assertEqual(self.delivered, [tree_of(LARGE), tree_of(1)])

    def test_failure(self) -> None:
        """What goes wrong with one tree is logged, and the next one is delivered."""

        def broken(tree: DeviceTree) -> DeviceTree:
            raise ZeroDivisionError("by zero")

        patch = self.patch(self, "prepare", broken)
        self.handover.take(tree_of(LARGE))
        self.handover.take(tree_of(1))
        self.worker.run()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        patch.restore()
        self.worker.run()
        self.assertEqual(self.delivered, [tree_of(1)])
