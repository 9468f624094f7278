"""Tests for twistdp.health.engine."""

import contextlib
import threading
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from twistdp.health import engine
from twistdp.health.engine import HealthChecks
from twistdp.health.lanes import Job
from twistdp.health.program import Run
from twistdp.health.tasks import Health
from twistdp.health.values import Check, Command, Present
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


class EngineTestCase(SynchronousTestCase):
    """An engine with a clock."""

    def setUp(self) -> None:
        """Start it."""
        self.clock = FakeReactor()
        self.patch(engine, "new_lanes", self.new_lanes)
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


class StateTests(EngineTestCase):
    """What a device's state is."""

    def test_first(self) -> None:
        """A device is unhealthy until its first checks have ended; the last of them wakes."""
        self.assertEqual(
            self.state(A, B),
            bad("its first check of /a has not ended yet; its first check of /b has not ended yet"),
        )
        self.answer("", "")
        self.assertEqual((self.state(A, B), self.woken), (GOOD, 1))
        self.assertEqual(self.lane.jobs, [])

    def test_first_fails(self) -> None:
        """The first check decides at once, and the reason of the author comes first."""
        self.state(A, B)
        self.answer("", "gone")
        self.assertEqual(self.state(A, B), bad("b is odd: gone"))

    def test_hysteresis(self) -> None:
        """So many results in a row change the state, in both directions, and wake the scanner."""
        self.state(A)
        self.answer("")
        seen = []
        for problem in ("1", "", "2", "3", "", "4", "", ""):
            woken = self.woken
            self.round(problem)
            seen.append((self.woken - woken, self.state(A)))
        self.assertEqual(
            seen,
            [
                (0, GOOD), (0, GOOD), (0, GOOD), (1, bad("3")),
                (0, bad("3")), (0, bad("4")), (0, bad("4")), (1, GOOD),
            ],
        )  # fmt: skip

    def test_no_recovery(self) -> None:
        """Without recovery only a device that was forgotten starts again."""
        check = Present("/a", every=10.0, recover=False)
        self.state(check)
        self.answer("off")
        for _ in range(3):
            self.round("")
            self.assertEqual(self.state(check), bad("off"))
        self.checks.keep([])
        self.state(check)
        self.answer("")
        self.assertEqual(self.state(check), GOOD)

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

    @given(st.lists(st.sampled_from(["", "x"]), min_size=1, max_size=12), st.integers(1, 3))
    def test_model(self, problems: list[str], count: int) -> None:
        """The state is that of the last run of results that is long enough, else of the first."""
        self.setUp()
        check = Present("/a", every=10.0, unhealthy_after=count, healthy_after=count)
        self.state(check)
        self.answer(problems[0])
        for problem in problems[1:]:
            self.round(problem)
        decisive = problems[0]
        for end in range(count, len(problems) + 1):
            if len(set(problems[end - count : end])) == 1:
                decisive = problems[end - 1]
        self.assertEqual(self.state(check)[0], UNHEALTHY if decisive else HEALTHY)


class DeviceTests(EngineTestCase):
    """Devices come and go, and so do their checks."""

    def test_change_of_checks(self) -> None:
        """Checks that stay keep what they remember; a new one changes nothing until it is made."""
        self.state(A, B)
        self.answer("off", "")
        other = Present("/c", every=10.0)
        self.assertEqual(self.state(A, other), bad("off; its first check of /c has not ended yet"))
        self.answer("")
        self.assertEqual(self.state(A, other), bad("off"))
        self.round("", "")
        self.round("", "")
        self.assertEqual(self.state(A, other), GOOD)
        self.assertEqual(self.state(A, B), GOOD)
        self.answer("broken")
        self.assertEqual(self.state(A, B), bad("b is odd: broken"))

    def test_forgotten(self) -> None:
        """Checks of a device that is gone are cancelled, and their outcomes are dropped."""
        self.state(A)
        (job,) = self.lane.jobs
        self.checks.forget(["device", "other"])
        self.assertTrue(job.run.is_cancelled)
        self.answer("late")
        self.clock.pump([1.0] * 30)
        self.assertEqual((self.lane.jobs, self.woken), ([], 0))

    def test_not_asked_for(self) -> None:
        """A device that a whole scan does not ask for is forgotten; after another scan it stays."""
        with self.checks.scan(is_whole=True):
            self.state(A)
        self.answer("")
        with self.checks.scan(is_whole=False):
            pass
        self.round("")
        with self.checks.scan(is_whole=True):
            pass
        self.clock.pump([1.0] * 30)
        self.assertEqual(self.lane.jobs, [])

    def test_failed_scan(self) -> None:
        """A scan that raises forgets nothing."""
        self.state(A)
        self.answer("")
        with contextlib.suppress(ZeroDivisionError), self.checks.scan(is_whole=True):
            raise ZeroDivisionError
        self.round("")

    def test_changed(self) -> None:
        """The devices that changed are known, once."""
        self.checks.states({"one": [A], "two": [B]})
        self.answer("", "")
        self.assertEqual(self.checks.changed(), {"one", "two"})
        self.assertEqual(self.checks.changed(), set())

    def test_own_callback(self) -> None:
        """A scanner with a loop of its own is called, after a change."""
        calls = []
        self.checks = HealthChecks(lambda: calls.append(self.state(A)))
        self.checks.start(self.clock)
        self.state(A)
        self.answer("")
        self.assertEqual(calls, [GOOD])


class TimeTests(EngineTestCase):
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

    def test_stop(self) -> None:
        """After a stop nothing is made or taken; after a start it goes on with what it knew."""
        self.state(A)
        self.answer("off")
        self.clock.pump([0.5] * 21)
        lane = self.lane
        self.checks.stop()
        lane.done(lane.jobs[0], "")
        self.assertTrue(lane.jobs[0].run.is_cancelled)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.checks.start(self.clock, self.wake)
        self.assertEqual(self.state(A), bad("off"))
        self.answer("")
        self.round("")
        self.assertEqual(self.state(A), GOOD)
        self.checks.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_during_a_scan(self) -> None:
        """If the plugin stops just as a scan asks, the checks are made once, as without it."""

        class Stopping(threading.Condition):
            """Stops the checks when the scanner's thread is about to enter it."""

            def __enter__(condition) -> bool:  # noqa: N805
                self.checks._settled = threading.Condition()
                self.checks.stop()
                return super().__enter__()

        self.checks._settled = Stopping()
        self.assertEqual(self.checks.state("a", [Present("/")]), GOOD)

    def test_patience(self) -> None:
        """A scan in its thread waits for first checks, but all of it no longer than it should."""
        self.patch(engine, "PATIENCE", 0.1)
        found: list[Health] = []

        def scan() -> None:
            with self.checks.scan(is_whole=True):
                for number in range(50):
                    found.append(self.checks.state(number, [A]))

        thread = threading.Thread(target=scan)
        thread.start()
        thread.join(30.0)
        self.assertFalse(thread.is_alive())
        self.assertEqual({each.state for each in found}, {UNHEALTHY})

    def test_no_waiting(self) -> None:
        """A check that ends in time spares the scan a state that is just for now."""
        self.patch(engine, "PATIENCE", 30.0)
        found: list[Health] = []

        def scan() -> None:
            with self.checks.scan(is_whole=True):
                found.append(self.checks.state("device", [A]))

        thread = threading.Thread(target=scan)
        thread.start()
        while thread.is_alive():
            self.clock.advance(0.01)
            self.answer(*[""] * len(self.lane.jobs))
        self.assertEqual(found, [GOOD])


class OnceTests(SynchronousTestCase):
    """Before the plugin runs, as in tests of scanners and in ``twistdp scan``."""

    def test_once(self) -> None:
        """Each call makes the checks, which decide at once."""
        path = f"{temporary_directory(self)}/x"
        checks = HealthChecks()
        wanted = [Present(path), Command(["/bin/true"])]
        self.assertEqual(checks.state("a", wanted), bad(f"{path} is not there"))
        with open(path, "wb"):
            pass
        self.assertEqual(checks.state("a", wanted), GOOD)
