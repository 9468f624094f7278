"""Whatever goes wrong in whatever order, in the end all is registered as it is, or gone."""

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from tests.faults.effort import effort, replay, tell
from tests.faults.hardware import Broken
from tests.faults.loops import imitated
from tests.faults.schedule import Schedule, Violation
from twistdp.errors import BadTree

SCHEDULES = effort("SCHEDULES", 1000)

LENGTH = 30
"""Steps of a schedule, between one recovery and the next, at most."""

SLOWEST = {"socket": 6.5, "watcher": 12.0}
"""Seconds that a recovery may take when all arrives at once: the longest back-off, and with the
watcher the wait for a kubelet that will not tell."""


class ScheduleTests(SynchronousTestCase):
    """Each schedule is made of one seed, which a failure names."""

    def explore(self, way: str) -> None:
        """Play all schedules of one way to register."""
        steps = 0
        slowest = 0.0
        met: Counter[tuple[str, str]] = Counter()
        with imitated() as inotify:
            for seed in SCHEDULES:
                schedule = Schedule(seed, way, inotify)
                try:
                    schedule.run(LENGTH)
                    self.assertLessEqual(schedule.recovery, SLOWEST[way], "seconds to recover")
                except (Violation, AssertionError) as violation:
                    self.fail(
                        f"{violation}\n{schedule.history}\n"
                        f"registered by {way}; play it again: {replay('SCHEDULES', seed)}"
                    )
                finally:
                    self.flushLoggedErrors(BadTree, Broken)
                steps += schedule.steps
                slowest = max(slowest, schedule.recovery)
                met += schedule.met
        tell(
            f"{way}: {len(SCHEDULES)} schedules, {steps} steps, {len(met)} pairs of a fault and "
            f"what was on its way, slowest recovery {slowest:.3f} s of the schedule's time"
        )

    def test_socket(self) -> None:
        """Registered at the kubelet's socket."""
        self.explore("socket")

    def test_watcher(self) -> None:
        """Found by the kubelet."""
        self.explore("watcher")
