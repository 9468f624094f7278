"""Each fault at each point where registering and serving waits for something."""

from functools import partial

from tests.faults.effort import tell
from tests.faults.loops import imitated
from tests.faults.playing import SCHEDULES, ScheduleTestCase
from tests.faults.points import FAULTS, LEADING_TO, POINTS
from tests.faults.schedule import Schedule

EACH = 1000
"""For so many schedules each fault happens once at each point."""

AGAIN = f"make faults SCHEDULES={len(SCHEDULES)} ROUNDS=0 SEED={SCHEDULES.start}"

PATIENCE = 100
"""Steps in which a point is reached, or not."""

TRIES = 40
"""How often it is tried to reach a point."""


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
