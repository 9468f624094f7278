"""Tests for `twistdp.tools.sparing`."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twistdp.tools.sparing import FIRST, WITHIN, Sparing


class SparingTests(SynchronousTestCase):
    """`Sparing`"""

    def setUp(self) -> None:
        """Count by a clock."""
        self.clock = Clock()
        self.sparing = Sparing(self.clock)

    def logged(self, times: int, kind: str = "a") -> list[str]:
        """How the lines end that are logged of so many."""
        ends = [self.sparing.count(kind) for _ in range(times)]
        return [end for end in ends if end is not None]

    def test_few(self) -> None:
        """They are all logged, as they are."""
        self.assertEqual(self.logged(FIRST - 1), [""] * (FIRST - 1))

    def test_many(self) -> None:
        """A handful is logged, the last ones with their number."""
        lines = self.logged(12_345)
        self.assertEqual(len(lines), FIRST + 4)
        self.assertEqual(
            [end.split()[1] for end in lines[FIRST - 1 :]],
            [f"{FIRST}th", "10th", "100th", "1000th", "10000th"],
        )

    def test_kinds(self) -> None:
        """Another kind is counted by itself."""
        self.logged(1000)
        self.assertEqual(self.logged(1, "b"), [""])

    def test_later(self) -> None:
        """After a while the count starts again."""
        self.logged(1000)
        self.clock.advance(WITHIN - 1)
        self.assertEqual(self.logged(8), [])
        self.clock.advance(1)
        self.assertEqual(self.logged(1), [""])
