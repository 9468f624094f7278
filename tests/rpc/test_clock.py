"""Tests for `twistdp.rpc.clock`."""

import asyncio
from typing import Any

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from tests.support.clocks import STEPS
from twistdp.rpc.clock import keep_steady


class SteadyTests(TestCase):
    """Tests for `keep_steady`."""

    def setUp(self) -> None:
        """A reactor whose clock, as Twisted's own, is a wall clock."""
        self.wall = 1.8e9
        self.loop = asyncio.SelectorEventLoop()
        self.addCleanup(self.loop.close)
        self.monotonic = 100.0
        self.loop.time = lambda: self.monotonic  # type: ignore[method-assign]
        self.reactor: Any = AsyncioSelectorReactor(self.loop)
        self.patch(AsyncioSelectorReactor, "seconds", staticmethod(lambda: self.wall))
        self.called: list[str] = []

    def pass_seconds(self, seconds: float) -> None:
        """Time passes for both clocks, and calls that are due are made."""
        self.wall += seconds
        self.monotonic += seconds
        self.reactor.runUntilCurrent()

    def test_steps_change_nothing(self) -> None:
        """A call is made on time, however the wall clock is set meanwhile."""
        for step in STEPS:
            keep_steady(self.reactor)
            self.called.clear()
            self.reactor.callLater(2.0, self.called.append, "two")
            self.pass_seconds(1.0)
            self.wall += step
            self.pass_seconds(0.9)
            self.assertEqual(self.called, [], step)
            self.pass_seconds(0.2)
            self.assertEqual(self.called, ["two"], step)

    def test_what_is_planned_already(self) -> None:
        """A call that was planned before is made on time too."""
        self.reactor.callLater(2.0, self.called.append, "two")
        self.pass_seconds(1.0)
        keep_steady(self.reactor)
        self.wall -= 3600.0
        self.pass_seconds(0.9)
        self.assertEqual(self.called, [])
        self.pass_seconds(0.2)
        self.assertEqual(self.called, ["two"])

    def test_a_clock_that_was_replaced_stays(self) -> None:
        """An application's own clock stays, and a second call changes nothing."""
        self.reactor.seconds = clock = Clock().seconds
        keep_steady(self.reactor)
        self.assertEqual(self.reactor.seconds, clock)
