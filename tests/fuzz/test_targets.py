"""The targets of ``make fuzz``, shortly and without coverage."""

import subprocess
import sys
import tempfile

from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz import __main__ as command
from tests.fuzz.support import fuzzed
from tests.fuzz.targets import SEEDS, TARGETS
from tests.support.helpers import temporary_directory


class TargetTests(SynchronousTestCase):
    """Each target."""

    def test_seeds(self) -> None:
        """Each has good inputs, and takes them."""
        for name, take in TARGETS.items():
            self.assertTrue(SEEDS[name], name)
            for seed in SEEDS[name]:
                take(seed)

    @fuzzed(150, st.sampled_from(sorted(TARGETS)), st.binary(max_size=60))
    def test_any_input(self, name: str, data: bytes) -> None:
        """Each takes any other input."""
        TARGETS[name](data)


class CommandTests(SynchronousTestCase):
    """``python -m tests.fuzz``"""

    def run_with(self, status: int, output: str) -> tuple[int, str]:
        """The status and the output of the command, when each target's process ends so."""
        self.patch(command, "FINDINGS", temporary_directory(self))
        self.patch(
            command,
            "run",
            lambda arguments, **_: subprocess.CompletedProcess(arguments, status, output),
        )
        with tempfile.TemporaryFile("w+") as file:
            self.patch(sys, "stdout", file)
            ended = command.main(["1", "names", "legible"])
            file.seek(0)
            return ended, file.read()

    def test_nothing_found(self) -> None:
        """The number of executions of each target is printed, and the status is 0."""
        status, said = self.run_with(0, "...\nDone 12345 runs in 2 second(s)\n")
        self.assertEqual(status, 0)
        self.assertEqual(
            [line.split() for line in said.splitlines()],
            [
                ["names", "12,345", *["executions", "in", "2", "s,", "no", "crash"]],
                ["legible", "12,345", *["executions", "in", "2", "s,", "no", "crash"]],
            ],
        )

    def test_finding(self) -> None:
        """A finding is printed with the place of its input, and the status is 1."""
        status, said = self.run_with(77, "=== Uncaught Python exception: ===\nAssertionError\n")
        self.assertEqual(status, 1)
        self.assertIn("AssertionError", said)
        self.assertIn(command.FINDINGS, said)

    def test_does_not_run(self) -> None:
        """A process that ends well without having done anything has done nothing."""
        self.assertEqual(self.run_with(0, "")[0], 1)
