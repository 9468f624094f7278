"""Tests for `twistdp.tools.shared`."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twistdp.tools.shared import Shared


class _Made:
    def __init__(self, reactor: object, about: str = "") -> None:
        self.reactor = reactor
        self.about = about


class SharedTests(SynchronousTestCase):
    """`Shared`"""

    def test_one(self) -> None:
        """A reactor has one object, another reactor another one."""
        shared, one, other = Shared(_Made), Clock(), Clock()
        first = shared.of(one)
        self.assertIs(first.reactor, one)
        self.assertIs(shared.of(one), first)
        self.assertIs(shared.of(other).reactor, other)

    def test_about(self) -> None:
        """A reactor has one object for each thing that they are about."""
        shared, clock = Shared(_Made), Clock()
        first, second = shared.of(clock, "/one"), shared.of(clock, "/two")
        self.assertEqual((first.about, second.about), ("/one", "/two"))
        self.assertIs(first.reactor, clock)
        self.assertIs(shared.of(clock, "/one"), first)
        other = Clock()
        self.assertIs(shared.of(other, "/one").reactor, other)

    def test_unused(self) -> None:
        """What nobody refers to is made again."""
        made: list[int] = []

        def make(reactor: object) -> _Made:
            made.append(1)
            return _Made(reactor)

        shared, clock = Shared(make), Clock()
        kept = shared.of(clock)
        shared.of(clock)
        self.assertEqual(len(made), 1)
        del kept
        shared.of(clock)
        self.assertEqual(len(made), 2)
