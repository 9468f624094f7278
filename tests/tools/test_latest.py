"""Tests for `twistdp.tools.latest`."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from twistdp.tools.latest import Latest


class LatestTests(SynchronousTestCase):
    """`Latest` holds one value that many follow."""

    def setUp(self) -> None:
        """Make a value to follow."""
        self.latest = Latest("a")

    def test_publish(self) -> None:
        """Publishing replaces the value and makes it a newer version."""
        self.assertEqual((self.latest.value, self.latest.version), ("a", 0))
        self.latest.publish("b")
        self.latest.publish("b")
        self.assertEqual((self.latest.value, self.latest.version), ("b", 2))

    def test_fires_for_a_newer_version(self) -> None:
        """All that wait are woken, once the new value and version can be seen."""
        seen: list[tuple[str, int]] = []
        for _ in range(3):
            waiting = self.latest.newer_than(0)
            self.assertNoResult(waiting)
            waiting.addCallback(lambda _: seen.append((self.latest.value, self.latest.version)))
        self.latest.publish("b")
        self.assertEqual(seen, [("b", 1)] * 3)

    def test_fires_once(self) -> None:
        """A follower that was woken and does not wait again is left alone."""
        waiting = self.latest.newer_than(0)
        self.latest.publish("b")
        self.assertIsNone(self.successResultOf(waiting))
        self.latest.publish("c")
        self.latest.close()

    def test_at_once_when_already_newer(self) -> None:
        """A follower that has seen an older version does not have to wait."""
        self.latest.publish("b")
        self.assertIsNone(self.successResultOf(self.latest.newer_than(0)))
        self.assertIsNone(self.successResultOf(self.latest.newer_than(-1)))
        waiting = self.latest.newer_than(1)
        self.assertNoResult(waiting)

    def test_slow_followers_skip(self) -> None:
        """A follower that was away finds the newest value, and each version at most once."""
        seen = []
        version = 0
        for value in "bcd":
            self.latest.publish(value)
        for _ in range(3):
            if self.latest.newer_than(version).called:
                seen.append(self.latest.value)
                version = self.latest.version
        self.assertEqual(seen, ["d"])

    def test_close(self) -> None:
        """Closing wakes all that wait, and later followers do not wait."""
        waiting = self.latest.newer_than(0)
        self.assertFalse(self.latest.closed)
        self.latest.close()
        self.assertTrue(self.latest.closed)
        self.assertIsNone(self.successResultOf(waiting))
        self.assertIsNone(self.successResultOf(self.latest.newer_than(0)))
        self.assertEqual((self.latest.value, self.latest.version), ("a", 0))
        self.latest.close()

    def test_wake(self) -> None:
        """Waking fires without a newer version, and does not affect later followers."""
        waiting = self.latest.newer_than(0)
        self.latest.wake()
        self.assertIsNone(self.successResultOf(waiting))
        self.assertEqual(self.latest.version, 0)
        self.assertNoResult(self.latest.newer_than(0))

    def test_cancelled(self) -> None:
        """A cancelled waiter is forgotten, and the others are woken."""
        one, two, three = (self.latest.newer_than(0) for _ in range(3))
        two.cancel()
        self.failureResultOf(two, CancelledError)
        self.latest.publish("b")
        self.successResultOf(one)
        self.successResultOf(three)

    def test_cancelled_waiters_are_not_kept(self) -> None:
        """Streams that end while nothing changes leave nothing behind."""
        for _ in range(10):
            waiting = self.latest.newer_than(0)
            waiting.addErrback(lambda failure: failure.trap(CancelledError) and None)
            waiting.cancel()
        self.assertEqual(self.latest._waiting, [])

    def test_callback_cancels_another(self) -> None:
        """A woken waiter may cancel one that is not woken yet, or was woken before."""
        for victim in range(3):
            latest = Latest("a")
            waiters = [latest.newer_than(0) for _ in range(3)]
            waiters[1].addCallback(lambda _, waiter: waiter.cancel(), waiters[victim])
            latest.publish("b")
            for number, waiter in enumerate(waiters):
                if number == victim == 2:
                    self.failureResultOf(waiter, CancelledError)
                else:
                    self.successResultOf(waiter)

    def test_callback_waits_anew(self) -> None:
        """A woken waiter may wait for the next version at once; it is not woken twice."""
        seen: list[int] = []

        def follow(_: object) -> None:
            seen.append(self.latest.version)
            self.assertLess(len(seen), 10)
            self.latest.newer_than(self.latest.version).addCallback(follow)

        self.latest.newer_than(0).addCallback(follow)
        self.latest.wake()
        self.latest.publish("b")
        self.latest.publish("c")
        self.assertEqual(seen, [0, 1, 2])

    def test_callback_waits_anew_and_is_cancelled(self) -> None:
        """A waiter that came while others are woken may be cancelled at once."""
        outcome: list[Deferred[None]] = []

        def again(_: object) -> None:
            waiting = self.latest.newer_than(self.latest.version)
            outcome.append(waiting)
            waiting.cancel()

        first, second = self.latest.newer_than(0), self.latest.newer_than(0)
        first.addCallback(again)
        self.latest.publish("b")
        self.failureResultOf(outcome[0], CancelledError)
        self.successResultOf(second)

    def test_callback_publishes(self) -> None:
        """A woken waiter may publish; the others are woken all the same and see the newest."""
        seen: list[str] = []
        one, two = self.latest.newer_than(0), self.latest.newer_than(0)
        one.addCallback(lambda _: self.latest.publish("c"))
        two.addCallback(lambda _: seen.append(self.latest.value))
        self.latest.publish("b")
        self.assertEqual(seen, ["c"])

    def test_callback_raises(self) -> None:
        """A waiter that fails keeps no other from being woken."""
        one, two = self.latest.newer_than(0), self.latest.newer_than(0)
        one.addCallback(lambda _: 1 / 0)
        self.latest.publish("b")
        self.failureResultOf(one, ZeroDivisionError)
        self.successResultOf(two)
