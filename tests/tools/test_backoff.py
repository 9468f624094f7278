"""Tests for `twistdp.tools.backoff`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.tools import backoff as backoff_module
from twistdp.tools.backoff import Backoff


class BackoffTests(SynchronousTestCase):
    """`Backoff`, without its variation."""

    def setUp(self) -> None:
        """Multiply each delay by one of the factors, in turn, and then by one."""
        self.factors: list[float] = []

        def variation() -> float:
            return self.factors.pop(0) if self.factors else 1.0

        self.patch(backoff_module, "_variation", variation)

    def test_doubles(self) -> None:
        """Delays double from the first to the most and stay there."""
        backoff = Backoff(0.5, 3.0)
        self.assertEqual([backoff.next() for _ in range(6)], [0.5, 1.0, 2.0, 3.0, 3.0, 3.0])

    def test_immediate(self) -> None:
        """With `immediate`, a zero comes before the first delay, and comes again after a reset."""
        backoff = Backoff(0.5, 3.0, immediate=True)
        for _ in range(2):
            self.assertEqual([backoff.next() for _ in range(5)], [0.0, 0.5, 1.0, 2.0, 3.0])
            backoff.reset()

    def test_reset(self) -> None:
        """After a reset the first delay comes again, also before any was taken."""
        backoff = Backoff(1.0, 8.0)
        backoff.reset()
        self.assertEqual([backoff.next(), backoff.next()], [1.0, 2.0])
        backoff.reset()
        backoff.reset()
        self.assertEqual([backoff.next(), backoff.next()], [1.0, 2.0])

    def test_most_of_one(self) -> None:
        """A single delay may be limited further, and counts like another."""
        backoff = Backoff(0.5, 3.0)
        self.assertEqual([backoff.next(0.7) for _ in range(3)], [0.5, 0.7, 0.7])
        self.assertEqual(backoff.next(9.0), 3.0)

    def test_first_above_most(self) -> None:
        """No delay is longer than the most."""
        self.assertEqual(Backoff(5.0, 3.0).next(), 3.0)

    def test_never_overflows(self) -> None:
        """However often it is tried, the delay stays the most."""
        backoff = Backoff(0.01, 5.0)
        delays = [backoff.next() for _ in range(5000)]
        self.assertEqual(set(delays[10:]), {5.0})

    def test_varies_each(self) -> None:
        """Each delay is multiplied by a new variation."""
        self.factors = [0.8, 1.2, 1.0]
        backoff = Backoff(1.0, 2.0)
        self.assertEqual([backoff.next() for _ in range(3)], [0.8, 2.4, 2.0])


class VariationTests(SynchronousTestCase):
    """`Backoff`, with its variation."""

    @given(st.integers(0, 60))
    def test_varied_by_a_fifth(self, attempts: int) -> None:
        """It varies each delay by at most a fifth."""
        backoff = Backoff(0.01, 5.0)
        for _ in range(attempts):
            backoff.next()
        delay = min(5.0, 0.01 * 2.0**attempts)
        self.assertTrue(0.8 * delay <= backoff.next() <= 1.2 * delay)

    def test_really_varies(self) -> None:
        """Many resources that start together do not try in step."""
        self.assertGreater(len({Backoff(1.0, 1.0).next() for _ in range(50)}), 1)
