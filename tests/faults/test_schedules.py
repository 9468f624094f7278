"""Whatever goes wrong in whatever order, in the end all is registered as it is, or gone."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from twisted.trial.unittest import SynchronousTestCase

from tests.faults.effort import effort, replay, tell
from tests.faults.hardware import Broken
from tests.faults.loops import imitated
from tests.faults.points import FAULTS, LEADING_TO, POINTS
from tests.faults.schedule import Schedule, Violation
from twistdp.errors import BadTree
from twistdp.inotify.watches import Inotify

T = TypeVar("T")

SCHEDULES = effort("SCHEDULES", 500)

EACH = 1000
"""For so many schedules each fault happens once at each point."""

AGAIN = f"make faults SCHEDULES={len(SCHEDULES)} ROUNDS=0 SEED={SCHEDULES.start}"

LENGTH = 30
"""Steps of a schedule, between one recovery and the next, at most."""

SLOWEST = {"socket": 6.5, "watcher": 12.0}
"""Seconds that a recovery may take when all arrives at once: the longest back-off, and with the
watcher the wait for a kubelet that will not tell."""


PATIENCE = 100
"""Steps in which a point is reached, or not."""

TRIES = 40
"""How often it is tried to reach a point."""


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


class ScheduleTests(ScheduleTestCase):
    """Whatever comes, in any order."""

    def explore(self, way: str) -> None:
        """Play all schedules of one way to register."""
        with imitated() as inotify:
            for seed in SCHEDULES:
                again = replay("SCHEDULES", seed)
                self.play(seed, way, inotify, lambda schedule: schedule.run(LENGTH), again)
        unknown = {
            *({point for point, _ in self.met} - {*POINTS[way]}),
            *({name for _, name in self.met} - {*FAULTS[way]}),
        }
        self.assertEqual(unknown, set(), "to be named in tests.faults.points")
        tell(
            f"{way}: {len(SCHEDULES)} schedules, {self.steps} steps, {len(self.met)} pairs of a "
            "fault and what was on its way, slowest recovery "
            f"{self.slowest:.3f} s of the schedule's time"
        )

    def test_socket(self) -> None:
        """Registered at the kubelet's socket."""
        self.explore("socket")

    def test_watcher(self) -> None:
        """Found by the kubelet."""
        self.explore("watcher")


class PointTests(ScheduleTestCase):
    """Each fault at each point, by name; once for every thousand schedules that are asked for."""

    def strike(self, way: str) -> None:
        """Every pair must be met."""
        pairs = [(point, name) for point in POINTS[way] for name in FAULTS[way]]
        played = 0
        with imitated() as inotify:
            for number in range(-(-len(SCHEDULES) // EACH) * len(pairs)):
                point, name = pairs[number % len(pairs)]
                for attempt in range(TRIES):
                    played += 1
                    seed = SCHEDULES.start + number + attempt * 1000003
                    if self.play(seed, way, inotify, partial(_blow, point, name), AGAIN):
                        break
                else:
                    self.fail(f"{name} has never happened while there was on its way: {point}")
        self.assertEqual(set(pairs if SCHEDULES else ()) - self.met.keys(), set())
        tell(
            f"{way}: each of {len(FAULTS[way])} faults at each of {len(POINTS[way])} points, in "
            f"{played} schedules of {self.steps} steps, slowest recovery {self.slowest:.3f} s of "
            "the schedule's time"
        )

    def test_socket(self) -> None:
        """Registered at the kubelet's socket."""
        self.strike("socket")

    def test_watcher(self) -> None:
        """Found by the kubelet."""
        self.strike("watcher")


def _blow(point: str, name: str, schedule: Schedule) -> bool:
    """Whether the point was reached, and the fault happened there."""
    return schedule.strike([*LEADING_TO.get(point, ()), (point, name)], PATIENCE)
