"""Tests for `twistdp.cli.demo`."""

import contextlib
import io
import os
import shutil
import signal
import sys
import tempfile
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import TimeoutError, succeed
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from tests.cli.test_kubelet import Watched
from twistdp import testing
from twistdp.cli.demo import Demo, StepFailed
from twistdp.errors import BadSetting
from twistdp.testing import loopdevices

STEPS = [
    "an emulated kubelet starts",
    "the plugin starts, registers and lists its devices",
    "a device is plugged in",
    "and unplugged",
    "a pod gets a device",
    "the kubelet restarts and deletes all sockets",
    "the plugin is registered and listed again",
    "another device is plugged in",
    "and unplugged",
]

BROKEN = """
import sys
import twistdp.testing
twistdp.testing.twistd_command = lambda: [sys.executable, "-c", "raise SystemExit('broken today')"]
from twistdp.cli import main
sys.exit(main(["demo"]))
"""


class TemporaryTestCase(TestCase):
    """Has a directory for temporary files, and leaves none behind."""

    timeout = 300

    def setUp(self) -> None:
        """Make it."""
        if not isinstance(reactor, AsyncioSelectorReactor):
            raise SkipTest("needs trial --reactor=asyncio")
        self.temporary = tempfile.mkdtemp(prefix="cd-")
        self.addCleanup(shutil.rmtree, self.temporary)

    def assert_steps(self, output: str, steps: list[str]) -> None:
        """`output` has these steps in this order, each with its time in milliseconds."""
        lines = [line for line in output.splitlines() if " ms  " in line]
        self.assertEqual(len(lines), len(steps), output)
        for line, step in zip(lines, steps, strict=True):
            self.assertRegex(line, rf"^ *\d+\.\d ms  {step}")


class ProcessTests(TemporaryTestCase):
    """``twistdp demo`` as a process."""

    async def run_python(self, *arguments: str) -> tuple[str, str, int]:
        """Output, errors and exit status."""
        output, errors, status = await getProcessOutputAndValue(
            sys.executable, arguments, env={**os.environ, "TMPDIR": self.temporary}
        )
        return output.decode(), errors.decode(), status

    async def test_succeeds(self) -> None:
        """It shows every step with its time, leaves nothing behind and ends with 0."""
        script = "import sys; from twistdp.cli import main; sys.exit(main(['demo']))"
        output, errors, status = await self.run_python("-c", script)
        self.assertEqual((errors, status), ("", 0), output)
        self.assert_steps(output, STEPS)
        self.assertTrue(output.endswith("All steps succeeded.\n"))
        self.assertEqual(os.listdir(self.temporary), [])

    async def test_plugin_does_not_start(self) -> None:
        """When the plugin cannot run it names the step, shows its log and ends with 1."""
        output, errors, status = await self.run_python("-c", BROKEN)
        self.assertEqual(status, 1)
        self.assert_steps(output, STEPS[:1])
        self.assertNotIn("All steps succeeded", output)
        self.assertIn(f"FAILED: {STEPS[1]}: the plugin ended with status 1", errors)
        self.assertIn("broken today", errors)
        self.assertNotIn("Traceback", errors)
        self.assertEqual(os.listdir(self.temporary), [])

    async def test_interrupted(self) -> None:
        """A signal leaves nothing behind either, and the status shows it."""
        child = Watched("demo", env={"TMPDIR": self.temporary})
        await child.printed(STEPS[0])
        child.signal("TERM")
        self.assertEqual(await child.ended, 128 + signal.SIGTERM, child.output)
        self.assertNotIn("Traceback", child.output)
        self.assertEqual(os.listdir(self.temporary), [])


class DemoTests(TemporaryTestCase):
    """`Demo`, inside this process."""

    def setUp(self) -> None:
        """A demonstration without rights on loop devices."""
        super().setUp()
        self.patch(tempfile, "tempdir", self.temporary)
        self.patch(loopdevices, "usable", lambda: False)
        self.demo = Demo(reactor)
        self.addCleanup(self.demo.clean_up)
        self.output = io.StringIO()

    async def test_without_rights(self) -> None:
        """Users that cannot plug loop devices see all steps with plain files."""
        with contextlib.redirect_stdout(self.output):
            await self.demo.run()
        self.assert_steps(self.output.getvalue(), STEPS)
        self.assertIn("nodes_only=false", self.output.getvalue())
        await self.demo.clean_up()
        self.assertEqual(os.listdir(self.temporary), [])

    async def test_plugin_cannot_be_run(self) -> None:
        """A plugin that ends at once fails its step, with its status and its log."""
        command = [sys.executable, "-c", "raise SystemExit('broken today')"]
        self.patch(testing, "twistd_command", lambda: command)
        with contextlib.redirect_stdout(self.output), self.assertRaises(StepFailed) as caught:
            await self.demo.run()
        self.assertIn(f"{STEPS[1]}: the plugin ended with status 1", str(caught.exception))
        self.assertIn("broken today", str(caught.exception))

    async def test_step(self) -> None:
        """A step prints its time, its name and its note."""
        with contextlib.redirect_stdout(self.output):
            await self.demo._step("something happens", lambda: succeed("(twice)"))
        self.assertRegex(self.output.getvalue(), r"^ *\d+\.\d ms  something happens \(twice\)\n$")

    async def test_step_fails(self) -> None:
        """A step that fails prints nothing; the failure names the step and the cause."""
        for error, text in (
            (OSError(13, "Permission denied"), "Permission denied"),
            (TimeoutError(), "TimeoutError"),
            (BadSetting("no such thing"), "no such thing"),
            (StepFailed("the plugin ended"), "the plugin ended"),
        ):

            async def fail(error: Exception = error) -> None:
                raise error

            with contextlib.redirect_stdout(self.output), self.assertRaises(StepFailed) as caught:
                await self.demo._step("something happens", fail)
            self.assertTrue(str(caught.exception).startswith("something happens: "))
            self.assertIn(text, str(caught.exception))
        self.assertEqual(self.output.getvalue(), "")

    async def test_mistake_in_a_step(self) -> None:
        """An unexpected exception is no failed step: it is raised with its stack."""

        async def fail() -> None:
            raise ZeroDivisionError

        with self.assertRaises(ZeroDivisionError):
            await self.demo._step("something happens", fail)
