"""Whatever goes wrong in whatever order, in the end all is registered as it is, or gone."""

from tests.faults.effort import replay, tell
from tests.faults.loops import imitated
from tests.faults.playing import SCHEDULES, ScheduleTestCase
from tests.faults.points import FAULTS, POINTS

LENGTH = 30
"""Steps of a schedule, between one recovery and the next, at most."""


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
