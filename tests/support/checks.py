"""Health checks whose results a test decides."""

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twistdp.health import schedule
from twistdp.health.engine import HealthChecks
from twistdp.health.lanes import Job
from twistdp.health.program import Run
from twistdp.health.tasks import Health
from twistdp.health.values import Check, Present
from twistdp.model.devices import HEALTHY, UNHEALTHY

GOOD = Health(HEALTHY, "")
A = Present("/a", every=10.0, unhealthy_after=2, healthy_after=2)
B = Present("/b", every=10.0, reason="b is odd")


def bad(reason: str) -> Health:
    """An unhealthy device."""
    return Health(UNHEALTHY, reason)


class FakeReactor(Clock):
    """A clock that makes calls of threads in its next turn."""

    def callFromThread(self, function: Callable[..., object], *args: Any) -> None:
        """Call it soon."""
        self.callLater(0.0, function, *args)


class FakeLane:
    """Keeps checks until the test says what they have found."""

    def __init__(self, done: Callable[[Job, str | None], None]) -> None:
        self.jobs: list[Job] = []
        self.late_jobs: list[tuple[Job, str]] = []
        self.done = done
        self.refuses = False

    @property
    def is_busy(self) -> bool:
        """Whether a check is being made."""
        return bool(self.jobs)

    def put(self, job: Job) -> None:
        """Keep it."""
        if self.refuses:
            raise RuntimeError("can't start new thread")
        self.jobs.append(job)

    def late(self) -> list[tuple[Job, str]]:
        """Those that the test calls late."""
        late, self.late_jobs = self.late_jobs, []
        return late

    def stop(self) -> list[Run]:
        """All runs."""
        return [job.run for job in self.jobs]


class ChecksTestCase(SynchronousTestCase):
    """Health checks with a clock."""

    def setUp(self) -> None:
        """Start it."""
        self.clock = FakeReactor()
        self.patch(schedule, "new_lanes", self.new_lanes)
        self.woken = 0
        self.checks = HealthChecks()
        self.checks.start(self.clock, self.wake)

    def new_lanes(self, seconds: Any, done: Any) -> dict[str, FakeLane]:
        """One lane for all."""
        self.lane = FakeLane(done)
        return dict.fromkeys(("file", "program", "network"), self.lane)

    def wake(self) -> None:
        """Count it."""
        self.woken += 1

    def answer(self, *problems: str | None) -> None:
        """End the checks that have begun, in their order, and let the reactor turn."""
        jobs, self.lane.jobs = self.lane.jobs, []
        assert len(jobs) == len(problems), f"{len(jobs)} checks have begun"
        for job, problem in zip(jobs, problems, strict=True):
            self.lane.done(job, problem)
        self.clock.pump([0.0, 0.0])

    def round(self, *problems: str | None) -> None:
        """Let one interval pass, and end the checks that begin in it."""
        self.clock.pump([0.5] * 21)
        self.answer(*problems)

    def state(self, *checks: Check) -> Health:
        """The state of the device."""
        return self.checks.state("device", checks)
