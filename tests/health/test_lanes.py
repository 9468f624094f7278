"""Tests for twistdp.health.lanes and twistdp.health.once."""

import threading
from queue import SimpleQueue

from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import PATIENCE
from twistdp.health import lanes, once
from twistdp.health.lanes import Job, Lane
from twistdp.health.program import Run
from twistdp.health.values import Check, Present


class Refused(threading.Thread):
    """A thread that cannot start."""

    def start(self) -> None:
        """Fail as Python does."""
        raise RuntimeError("can't start new thread")


class LaneTests(SynchronousTestCase):
    """`Lane`, with checks that end when the test says so."""

    def setUp(self) -> None:
        """Checks of a path that begins with "/hang" wait."""
        self.go = threading.Event()
        self.addCleanup(self.go.set)
        self.begun: SimpleQueue[str] = SimpleQueue()
        self.ended: SimpleQueue[tuple[Job, str | None]] = SimpleQueue()
        self.now = 0.0

        def make(check: Check, run: Run) -> str:
            self.begun.put(check.what)
            if check.what.startswith("/hang"):
                self.go.wait(30.0)
            return f"{check.what} made"

        self.patch(lanes, "make", make)

    def lane(self, most: int) -> Lane:
        """A lane whose checks are late after the 2 s of their limit."""
        return Lane(self.id(), most, 0.0, lambda: self.now, lambda job, made: self.put(job, made))

    def put(self, job: Job, made: str | None) -> None:
        """Note an outcome."""
        self.ended.put((job, made))

    def jobs(self, lane: Lane, *paths: str) -> list[Job]:
        """Give checks of paths to a lane."""
        jobs = [Job(None, Present(path)) for path in paths]
        for job in jobs:
            lane.put(job)
        return jobs

    def test_bound(self) -> None:
        """Never more are made at once than the bound; the others follow in their order."""
        lane = self.lane(3)
        self.jobs(lane, *(f"/hang{number}" for number in range(20)))
        begun = {self.begun.get(timeout=30.0) for _ in range(3)}
        self.assertEqual(begun, {"/hang0", "/hang1", "/hang2"})
        alive = [each for each in threading.enumerate() if each.name == f"health {self.id()}"]
        self.assertEqual(len(alive), 3)
        self.assertTrue(self.begun.empty())
        self.go.set()
        for _ in range(20):
            self.ended.get(timeout=30.0)
        self.assertFalse(lane.is_busy)

    def test_late(self) -> None:
        """A check that hangs is late once, and others are made in its place."""
        lane = self.lane(1)
        hanging, other = self.jobs(lane, "/hang", "/other")
        self.begun.get(timeout=30.0)
        self.assertEqual(lane.late(), [])
        self.now = 2.0
        self.assertEqual(lane.late(), [(hanging, "the check of /hang took longer than 2 s")])
        self.assertEqual(self.ended.get(timeout=30.0), (other, "/other made"))
        self.assertEqual(lane.late(), [])
        self.go.set()
        self.assertEqual(self.ended.get(timeout=30.0), (hanging, "/hang made"))
        self.assertTrue(hanging.is_lost)
        (last,) = self.jobs(lane, "/last")
        self.assertEqual(self.ended.get(timeout=30.0), (last, "/last made"))

    def test_all_hang(self) -> None:
        """When as many hang as may be lost, others are reported instead of never made."""
        self.patch(lanes, "MOST_LOST", 2)
        lane = self.lane(1)
        jobs = self.jobs(lane, "/hang0", "/hang1", "/a")
        for _ in range(2):
            self.begun.get(timeout=30.0)
            self.now += 2.0
            found = lane.late()
        self.assertEqual(found[1], (jobs[2], "the check of /a cannot be made: 2 others hang"))
        self.go.set()
        for _ in range(2):
            self.ended.get(timeout=30.0)
        self.jobs(lane, "/b")
        self.assertEqual(self.ended.get(timeout=30.0)[1], "/b made")

    def test_no_thread(self) -> None:
        """Where no thread can start, the caller learns it, and the next one tries again."""
        lane = self.lane(1)
        with_thread = threading.Thread
        self.patch(lanes, "Thread", Refused)
        self.assertRaises(RuntimeError, self.jobs, lane, "/a")
        self.patch(lanes, "Thread", with_thread)
        (job,) = self.jobs(lane, "/b")
        self.assertEqual(self.ended.get(timeout=30.0), (job, "/b made"))

    def test_stop(self) -> None:
        """What waits is forgotten, and the runs that have begun are returned."""
        lane = self.lane(1)
        hanging, _ = self.jobs(lane, "/hang", "/other")
        self.begun.get(timeout=30.0)
        self.assertEqual(lane.stop(), [hanging.run])
        self.go.set()
        self.assertEqual(self.ended.get(timeout=30.0)[0], hanging)
        self.assertTrue(self.ended.empty())

    def test_once_without_threads(self) -> None:
        """Where no thread can start, nothing is known, which is no problem of a device."""
        self.patch(lanes, "Thread", Refused)
        self.assertEqual(once.make_once([Present("/a")]), {Present("/a"): ""})

    def test_once(self) -> None:
        """Each check is made once, and one that hangs keeps nobody waiting for ever."""
        hanging, other = Present("/hang", timeout=0.3), Present("/other", timeout=PATIENCE)
        found = once.make_once([other, hanging, other])
        self.assertEqual(
            found, {other: "/other made", hanging: "the check of /hang took longer than 0.3 s"}
        )
        self.assertEqual({self.begun.get(timeout=30.0) for _ in range(2)}, {"/other", "/hang"})
