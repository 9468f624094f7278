"""`python -m tests`: each test is run, and counted."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, settings
from twisted.trial.unittest import SynchronousTestCase

from tests import __main__ as runner


class PortionTests(SynchronousTestCase):
    """What one process runs."""

    def test_all(self) -> None:
        """Every module is run once: those of the matrix by their names, the others without."""
        matrix = [*runner.MATRIX]
        for names, count in ((["tests"], 1), (matrix, 0), (["tests", *matrix], 1)):
            run = Counter(name for part in runner.portions(names) for name in part)
            for path in sorted(runner.ROOT.glob("tests/**/test_*.py")):
                name = ".".join(path.relative_to(runner.ROOT).with_suffix("").parts)
                special = name.startswith(runner.MATRIX)
                expected = int(names != ["tests"]) if special else count
                self.assertEqual(run.pop(name, 0), expected, (names, name))
            self.assertEqual(run, Counter(), names)

    def test_long_first(self) -> None:
        """Modules that take long are there, and start first, one by one; packages follow."""
        for name in runner.LONG:
            self.assertTrue(Path(runner.ROOT, *name.split(".")).with_suffix(".py").exists(), name)
        parts = runner.portions(["tests", *runner.MATRIX])
        self.assertEqual(
            [part for part in parts if part[0] in runner.LONG], parts[: len(runner.LONG)]
        )
        self.assertIn(
            "tests.rpc.test_server", next(p for p in parts if "tests.rpc.test_calls" in p)
        )

    def test_names(self) -> None:
        """A test case, or a single test, may be named."""
        name = "tests.rpc.test_calls.UnaryTests"
        self.assertEqual(runner.portions([name]), [[name]])


class RunTests(SynchronousTestCase):
    """What comes of a run."""

    def test_counted(self) -> None:
        """The last summary counts; one line of another test's output does not."""
        output = "FAILED (failures=2)\nRan 62 tests in 1.0s\n\nPASSED (skips=9, successes=53)\n"
        self.assertEqual(runner.counted(output), {"skips": 9, "successes": 53})
        self.assertEqual(runner.counted("PASSED\n"), {})

    def test_verdict(self) -> None:
        """A run has passed if it had tests and none of them failed."""
        for counts, passed in (
            ({"successes": 1, "skips": 1}, True),
            ({"successes": 5, "failures": 1}, False),
            ({"errors": 1}, False),
            ({"successes": 1, "unexpectedSuccesses": 1}, False),
            ({}, False),
        ):
            self.assertEqual(runner.Run([], 0.0, "", Counter(counts)).passed, passed, counts)

    def test_trial_that_ends(self) -> None:
        """Where trial ends without a summary, or with no such test, that is an error."""
        run = runner.trial(["tests.there_is_no_such_module"])
        self.assertGreater(run.counts["errors"], 0, run.output)
        self.assertFalse(run.passed)


class PropertyTests(SynchronousTestCase):
    """Tests of properties."""

    def test_slow_machine(self) -> None:
        """None fails because the machine is slow."""
        common = settings()
        self.assertIsNone(common.deadline)
        self.assertIn(HealthCheck.too_slow, common.suppress_health_check)


class ProcessTests(SynchronousTestCase):
    """A process that runs tests."""

    def test_no_fork_handlers(self) -> None:
        """It starts processes without gRPC's handlers, also if a test imports grpc itself."""
        name = "GRPC_ENABLE_FORK_SUPPORT"
        code = f"import os, twisted.trial.runner, tests; print(os.environ.get({name!r}))"
        environment = {key: value for key, value in os.environ.items() if key != name}
        command = [sys.executable, "-c", code]
        found = subprocess.run(command, env=environment, cwd=runner.ROOT, capture_output=True)
        self.assertEqual(found.stdout, b"0\n", found.stderr)
