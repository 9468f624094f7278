"""Tests for twistdp.health.schedule, through the checks that use it."""

from tests.support.checks import GOOD, A, ChecksTestCase, bad
from twistdp.health.values import Present
from twistdp.model.devices import UNHEALTHY


class OutcomeTests(ChecksTestCase):
    """What counts as an outcome, and what is only made again."""

    def test_unknown(self) -> None:
        """A check that this process could not make decides nothing, and is made again."""
        self.state(A)
        self.answer(None)
        self.assertEqual(self.state(A)[0], UNHEALTHY)
        self.round("")
        self.assertEqual(self.state(A), GOOD)

    def test_no_thread(self) -> None:
        """Neither does one for which no thread could start."""
        self.lane.refuses = True
        self.state(A)
        self.assertEqual(self.lane.jobs, [])
        self.lane.refuses = False
        self.round("")
        self.assertEqual(self.state(A), GOOD)

    def test_late(self) -> None:
        """A check that hangs fails at each of its intervals, and is made again when it ends."""
        self.state(A)
        self.answer("")
        self.clock.pump([0.5] * 21)
        (job,) = self.lane.jobs
        job.is_lost = True
        self.lane.late_jobs.append((job, "too late"))
        self.clock.advance(0.25)
        self.assertTrue(job.run.is_cancelled)
        self.assertEqual(self.state(A), GOOD)
        self.clock.pump([0.5] * 21)
        self.assertEqual(self.lane.jobs, [job])
        self.assertEqual(self.state(A), bad("the check of /a is still waited for"))
        self.answer("whatever")
        for _ in range(2):
            self.round("")
        self.assertEqual(self.state(A), GOOD)

    def test_never_begun(self) -> None:
        """One that no thread was left for fails, and is made again."""
        self.state(A)
        job = self.lane.jobs.pop()
        self.lane.late_jobs.append((job, "64 others hang"))
        self.lane.jobs.append(job)
        self.clock.advance(0.25)
        self.lane.jobs.clear()
        self.assertEqual(self.state(A), bad("64 others hang"))
        self.round("")
        self.assertNotEqual(self.lane.jobs, [job])


class TimeTests(ChecksTestCase):
    """When checks are made."""

    def test_interval(self) -> None:
        """Checks are made at their intervals, also short ones, and never twice at once."""
        short = Present("/a", every=0.2)
        self.state(short)
        made = 0
        for _ in range(2000):
            if self.lane.jobs:
                made += 1
                self.answer("")
            self.clock.advance(0.01)
        self.assertTrue(75 <= made <= 110, made)
        self.clock.pump([1.0] * 5)
        self.assertEqual(len(self.lane.jobs), 1)

    def test_spread(self) -> None:
        """Thousands of checks that begin together are soon spread, and begin in small parts."""
        count = 2000
        self.checks.states({number: [Present(f"/{number}")] for number in range(count)})
        self.assertLessEqual(len(self.lane.jobs), 200)
        begun = []
        for _ in range(1000):
            jobs = len(self.lane.jobs)
            begun.append(jobs)
            self.answer(*[""] * jobs)
            self.clock.advance(0.05)
        self.assertLessEqual(max(begun[-100:]), 60)  # 20 if they were spread evenly
        self.assertTrue(count * 9 <= sum(begun) <= count * 12, sum(begun))
