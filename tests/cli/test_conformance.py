"""``twistdp conformance`` as a command."""

import json
import os
import shutil
import signal
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest import SkipTest
from xml.etree import ElementTree

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.conformance.test_program import runs
from tests.support.helpers import temporary_directory
from twistdp import cli
from twistdp.conformance.catalog import CHECKS
from twistdp.settings import PLUGIN_DIRECTORY
from twistdp.testing.process import ChildProcess

ROOT = str(Path(__file__).parents[2])
TWISTDP = os.path.join(os.path.dirname(sys.executable), "twistdp")
PLAIN = (
    "touch {work_dir}/a {work_dir}/c; "
    f"exec {sys.executable} {ROOT}/examples/plain_grpcio.py {{plugin_dir}} {{work_dir}}"
)


class AnswerTests(SynchronousTestCase):
    """Options that need no plugin."""

    def answer(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        output, errors = StringIO(), StringIO()
        with redirect_stdout(output), redirect_stderr(errors):
            status = cli.main(["conformance", *arguments])
        return status, output.getvalue(), errors.getvalue()

    def test_list(self) -> None:
        """Every check, with its title."""
        status, out, _ = self.answer("--list")
        self.assertEqual(status, 0)
        self.assertEqual([line.split()[0] for line in out.splitlines()], [c.id for c in CHECKS])

    def test_explain(self) -> None:
        """The explanation of a check, with its source."""
        status, out, _ = self.answer("--explain", "restart.stream")
        self.assertEqual(status, 0)
        self.assertIn("never redials", out)

    def test_explain_group(self) -> None:
        """All checks of a group."""
        status, out, _ = self.answer("--explain", "options")
        self.assertEqual(status, 0)
        titles = [f"{c.id}: {c.title}" for c in CHECKS if c.id.startswith("options.")]
        self.assertEqual([line for line in out.splitlines() if line in titles], titles)

    def test_refusals(self) -> None:
        """Options that cannot work are refused in one line, with status 2."""
        for expected, arguments in (
            ("no command", []),
            ("the command names no directory", ["--", "plugin"]),
            ("no check 'nix'", ["--only", "nix", "--", "x", "{plugin_dir}"]),
            ("no check 'nix'", ["--skip", "nix", "--", "x", "{plugin_dir}"]),
            ("no check 'nix'", ["--explain", "nix"]),
            ("--jobs 0: at least 1", ["-j", "0", "--", "true", "{plugin_dir}"]),
            (
                "/no/x: the report cannot be written: No such file",
                ["--json=/no/x", "--", "true", "{plugin_dir}"],
            ),
            ("/no/such: no such command", ["--", "/no/such", "{plugin_dir}"]),
            ("--json - and --junit -", ["--json=-", "--junit=-", "--", "true", "{plugin_dir}"]),
        ):
            status, out, err = self.answer(*arguments)
            self.assertEqual((status, out), (2, ""), arguments)
            self.assertIn(f"twistdp conformance: {expected}", err)
            self.assertEqual(err.count("\n"), 1, err)


class CommandTests(TestCase):
    """Options, output and exit status."""

    timeout = 300

    def setUp(self) -> None:
        """A place for reports."""
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)

    async def conformance(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        out, err, status = await getProcessOutputAndValue(
            TWISTDP,
            ["conformance", *arguments],
            env={**os.environ, "PYTHONPATH": ROOT},
            reactor=reactor,
        )
        return status, out.decode(), err.decode()

    async def test_passes(self) -> None:
        """A check that passes: status 0, and reports in both formats."""
        junit = os.path.join(self.directory, "junit.xml")
        status, out, err = await self.conformance(
            *("--only", "list.ids", "--only", "options.pre-start", "--json", "-"),
            *("--junit", junit, "--", "sh", "-c", PLAIN),
        )
        self.assertEqual(status, 0, err)
        said = json.loads(out)
        self.assertEqual(said["resource"], "plain.example.com/file")
        self.assertEqual([check["verdict"] for check in said["checks"]], ["skip", "pass"])
        self.assertIn("1 passed, 0 with warnings, 1 skipped, 0 failed", err)
        self.assertTrue(err.startswith("starting the plugin to see its resources"), err)
        self.assertIn("plain.example.com/file: 2 devices\n", err)
        cases = ElementTree.parse(junit).getroot().iter("testcase")
        self.assertEqual([case.get("name") for case in cases], ["pre-start", "ids"])

    async def test_fails(self) -> None:
        """A check that fails: status 1, with the evidence.  This plugin has one device."""
        status, out, _ = await self.conformance(
            *("--only", "allocate.unknown", "--", "sh", "-c", PLAIN.replace(" {work_dir}/c", ""))
        )
        self.assertEqual(status, 1)
        self.assertIn("plain.example.com/file: 1 device\n", out)
        self.assertIn("Allocate of 'no-such-device-1' succeeds", out)
        self.assertIn("Register came: plain.example.com/file, version v1beta1", out)

    async def test_strict(self) -> None:
        """A warning is a failure only with --strict."""
        arguments = ["--only", "process.socket-permissions", "--", "sh", "-c", PLAIN]
        status, out, _ = await self.conformance(*arguments)
        self.assertEqual(status, 0, out)
        self.assertIn("warn  process.socket-permissions", out)
        status, _, _ = await self.conformance("--strict", *arguments)
        self.assertEqual(status, 1)

    async def test_all_skipped(self) -> None:
        """When nothing was checked, that is not success."""
        status, out, _ = await self.conformance(
            "--only", "options.pre-start", "--", "sh", "-c", PLAIN
        )
        self.assertEqual(status, 2, out)

    async def test_bind(self) -> None:
        """A plugin that insists on the usual directory finds the check's kubelet there."""
        if os.geteuid() != 0:
            raise SkipTest("needs root to mount")
        usual = PLAIN.replace("{plugin_dir}", PLUGIN_DIRECTORY)
        status, out, _ = await self.conformance(
            "--bind", "--only", "list.ids", "--", "sh", "-c", usual
        )
        self.assertEqual(status, 0, out)
        # The machine's own directory, which may be a real kubelet's, has nothing of the plugin.
        self.assertNotIn("plain.sock", os.listdir(PLUGIN_DIRECTORY))


class SignalTests(TestCase):
    """Ctrl-C and SIGTERM in the middle of a check."""

    timeout = 300

    def setUp(self) -> None:
        """A directory for temporary files and one for files of the plugin and the commands."""
        self.temporary, self.told = temporary_directory(self), temporary_directory(self)

    async def interrupted(self, name: str, *options: str, until: str) -> ChildProcess:
        """The suite, which is sent a signal once there is a file `until`."""
        plugin = PLAIN.replace("exec ", f"echo $$ >> {self.told}/plugins; exec ")
        child = ChildProcess(
            [TWISTDP, "conformance", "--patience=60", *options, "--", "sh", "-c", plugin],
            reactor=reactor,
            env={"PYTHONPATH": ROOT, "TMPDIR": self.temporary},
        )
        self.addCleanup(_kill, child)
        await self.there(until, child)
        child.signal(name)
        return child

    async def there(self, path: str, child: ChildProcess) -> None:
        """Wait for a file, as long as the suite runs."""
        while not os.path.exists(path):
            self.assertFalse(child.ended.called, child.output)
            await deferLater(reactor, 0.01)

    def assert_nothing_left(self, plugins: int) -> None:
        """`plugins` plugins were started, none of them runs, and no directory is left."""
        with open(f"{self.told}/plugins", encoding="ascii") as file:
            pids = [int(line) for line in file]
        self.assertEqual([runs(pid) for pid in pids], [False] * plugins)
        self.assertEqual(os.listdir(self.temporary), [])

    async def test_command(self) -> None:
        """A signal while a command runs ends it, and its change is undone.

        That is not disturbed by more signals, as GNU timeout sends them.
        """
        os.mkfifo(f"{self.told}/go")
        undo = f"touch {self.told}/undoing; read line < {self.told}/go; touch {self.told}/undone"
        child = await self.interrupted(
            "TERM",
            *("--only", "list.hotplug", "--hotplug-add", f"touch {self.told}/add; sleep 60"),
            *("--hotplug-remove", undo),
            until=f"{self.told}/add",
        )
        await self.there(f"{self.told}/undoing", child)
        child.signal("TERM")
        go = os.open(f"{self.told}/go", os.O_RDWR)  # also where nobody reads any more
        self.addCleanup(os.close, go)
        os.write(go, b"\n")
        status, output = await child.ended, child.output
        self.assertEqual(status, 128 + signal.SIGTERM, output)
        self.assertTrue(os.path.exists(f"{self.told}/undone"), output)
        self.assertIn("fail  list.hotplug", output)
        self.assertIn("interrupted: the plugin has ended", output)
        self.assertNotIn("Traceback", output)
        self.assert_nothing_left(plugins=2)

    async def test_look(self) -> None:
        """While the plugin is looked at for the first time."""
        child = await self.interrupted(
            "INT", "--resource", "a.example.com/none", until=f"{self.told}/plugins"
        )
        status, output = await child.ended, child.output
        self.assertEqual(status, 128 + signal.SIGINT, output)
        self.assertNotIn("Traceback", output)
        self.assert_nothing_left(plugins=1)


async def _kill(child: ChildProcess) -> None:
    """End a child that a test has given up."""
    if not child.ended.called:
        child.signal("KILL")
        await child.ended
