"""Plays schedules of faults, each made of one seed, in a test."""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from twisted.trial.unittest import SynchronousTestCase

from tests.faults.effort import effort
from tests.faults.hardware import Broken
from tests.faults.schedule import Schedule, Violation
from twistdp.errors import BadTree
from twistdp.inotify.watches import Inotify

T = TypeVar("T")

SCHEDULES = effort("SCHEDULES", 100)

SLOWEST = {"socket": 6.5, "watcher": 12.0}
"""Seconds that a recovery may take when all arrives at once: the longest back-off, and with the
watcher the wait for a kubelet that does not report the outcome."""


class ScheduleTestCase(SynchronousTestCase):
    """Each schedule is made of one seed, which a failure names."""

    def setUp(self) -> None:
        """Nothing has been met."""
        self.steps = 0
        self.slowest = 0.0
        self.met: Counter[tuple[str, str]] = Counter()

    def play(
        self, seed: int, way: str, inotify: Inotify, how: Callable[[Schedule], T], again: str
    ) -> T:
        """Play one schedule; `again` is the command that does so too."""
        schedule = Schedule(seed, way, inotify)
        try:
            outcome = how(schedule)
            self.assertLessEqual(schedule.recovery, SLOWEST[way], "seconds to recover")
        except (Violation, AssertionError) as violation:
            self.fail(
                f"{violation}\n{schedule.history}\nregistered by {way}; play it again: {again}"
            )
        finally:
            self.flushLoggedErrors(BadTree, Broken)
        self.steps += schedule.steps
        self.slowest = max(self.slowest, schedule.recovery)
        self.met += schedule.met
        return outcome
