"""Tests for twistdp.health.engine."""

import contextlib
import threading

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.support.checks import GOOD, A, B, ChecksTestCase, bad
from tests.support.helpers import PATIENCE, temporary_directory
from twistdp.health import engine
from twistdp.health.engine import HealthChecks
from twistdp.health.tasks import Health
from twistdp.health.values import Command, Present
from twistdp.model.devices import HEALTHY, UNHEALTHY


class StateTests(ChecksTestCase):
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


class DeviceTests(ChecksTestCase):
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


class RunTests(ChecksTestCase):
    """Starts, stops, and how long a scan waits."""

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
        wanted = [Present(path), Command(["/bin/true"], timeout=PATIENCE)]
        self.assertEqual(checks.state("a", wanted), bad(f"{path} is not there"))
        with open(path, "wb"):
            pass
        self.assertEqual(checks.state("a", wanted), GOOD)
