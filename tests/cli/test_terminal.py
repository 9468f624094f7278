"""Tests for what `twistdp.cli` shows people at a terminal, and nobody else."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from typing import TextIO

from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from twistdp.cli import terminal
from twistdp.cli.terminal import Busy, console

TWISTDP = os.path.join(os.path.dirname(sys.executable), "twistdp")
ROOT = Path(__file__).parents[2]
TREES = Path(__file__).parents[1] / "select/trees"
FILE = """
domain: x.example.com
resources:
  ports: {usb: "1a86:7523", as: tty}
  gone: {path: /dev/serial/by-id/usb-absent-if00}
"""
SLOW = """
import sys
from twistdp import HEALTHY, DeviceInfo, DeviceSpec, DeviceTree, WatchingScanner

class Slow(WatchingScanner):
    namespace = "slow.example.com"
    def __init__(self, fifo):
        super().__init__()
        self.fifo = fifo
    def discover(self):
        open(self.fifo).readline()
        tree = DeviceTree()
        tree.add_devices("null", {"null": DeviceInfo(state=HEALTHY, nodes=[DeviceSpec("/dev/null", "/dev/null")])})
        return tree
"""  # noqa: E501
COLOUR = re.compile(r"\x1b\[[0-9;]*?3[0-9][0-9;]*m")
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Screen:
    """A terminal: the name of its device, and what was written to it."""

    def __init__(self, case: SynchronousTestCase) -> None:
        self._master, self.slave = pty.openpty()
        case.addCleanup(os.close, self._master)
        self._written = b""

    def close(self) -> None:
        """Leave it to others."""
        os.close(self.slave)

    @property
    def written(self) -> str:
        """Everything so far, with the line ends that a program wrote."""
        while select.select([self._master], [], [], 0)[0] and self._read():
            pass
        return self._written.decode().replace("\r\n", "\n")

    def whole(self) -> str:
        """Everything, once nobody has it open any more."""
        while self._read():
            pass
        return self.written

    def until(self, text: str, seconds: float = 100.0) -> None:
        """Wait until something was written, also while a spinner turns."""
        end = time.monotonic() + seconds
        while text not in self._written.decode(errors="ignore"):
            left = end - time.monotonic()
            if left < 0 or not select.select([self._master], [], [], left)[0] or not self._read():
                raise AssertionError(f"{text!r} was not written, but {self._written!r}")

    def _read(self) -> bool:
        try:
            self._written += os.read(self._master, 65536)
        except OSError:  # nobody has it open
            return False
        return True


class TerminalCase(SynchronousTestCase):
    """Commands on a terminal."""

    def command(self, *words: str, errors: bool = True, **environment: str) -> str:
        """What a command prints on a terminal of 100 columns; without `errors`, its output only."""
        screen = Screen(self)
        done = subprocess.Popen(
            [TWISTDP, *words],
            stdin=subprocess.DEVNULL,
            stdout=screen.slave,
            stderr=screen.slave if errors else subprocess.DEVNULL,
            env={**_environment(), "COLUMNS": "100", **environment},
        )
        screen.close()
        with done:
            shown = screen.whole()
            self.assertEqual(done.wait(60), 0, shown)
        return shown

    def piped(self, *words: str) -> str:
        """What it prints for a program."""
        return subprocess.run(
            [TWISTDP, *words], capture_output=True, text=True, check=True, timeout=60
        ).stdout


def _environment() -> dict[str, str]:
    """The environment, without what decides about colours."""
    decisive = ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
    rest = {name: value for name, value in os.environ.items() if name not in decisive}
    return {**rest, "TERM": "xterm-256color"}


class OutputTests(TerminalCase):
    """Tables and trees."""

    def setUp(self) -> None:
        """A configuration, and a recording."""
        file = os.path.join(temporary_directory(self), "devices.yaml")
        Path(file).write_text(FILE, encoding="ascii")
        self.options = (f"--config={file}", f"--root={TREES / 'twins.umockdev'}")

    def test_scan(self) -> None:
        """A terminal shows a table with the same words; a pipe gets the same as ever."""
        shown = self.command("scan", *self.options)
        self.assertRegex(shown, COLOUR)
        plain = ESCAPE.sub("", shown)
        self.assertRegex(plain, r"(?m)^device +health +NUMA +a container gets *$")
        self.assertRegex(
            plain, r"(?m)^pci-0000:00:0d.0-usbv2-0:3.1-if00-port0 +Healthy +/dev/serial"
        )
        self.assertIn("\nx.example.com/ports: 2 devices\n", plain)
        self.assertIn("not on this node: no path /dev/serial/by-id/usb-absent-if00\n", plain)
        piped = self.piped("scan", *self.options)
        self.assertNotIn("\x1b", piped)
        self.assertIn("\n  pci-0000:00:0d.0-usbv2-0:3.1-if00-port0  Healthy\n    /dev/", piped)

    def test_json(self) -> None:
        """JSON is the same on a terminal as in a pipe, whatever a spinner shows on the way."""
        for command in ("scan", "explain"):
            words = (command, *self.options, "--json")
            self.assertEqual(self.command(*words, errors=False), self.piped(*words))

    def test_explain(self) -> None:
        """A terminal shows trees whose lines continue below themselves."""
        shown = self.command("explain", *self.options, COLUMNS="60")
        self.assertRegex(shown, COLOUR)
        plain = re.sub(" +\n", "\n", ESCAPE.sub("", shown))
        self.assertIn(
            "x.example.com/ports: 2 devices\n"
            "├── /dev/ttyUSB0: listed as ports\n"
            "│   pci-0000:00:0d.0-usbv2-0:3.1-if00-port0\n",
            plain,
        )

    def test_catalog(self) -> None:
        """A terminal shows a table of the entries; a title continues below itself."""
        plain = ESCAPE.sub("", self.command("catalog", COLUMNS="60"))
        self.assertRegex(plain, r"(?m)^entry +devices *$")
        self.assertRegex(plain, r"(?m)^kvm +Hardware virtualization *$")
        self.assertLessEqual(max(map(len, plain.splitlines())), 60)

    def test_no_colour(self) -> None:
        """With NO_COLOR there are no colours; a terminal that cannot draw gets plain lines."""
        for words in (["scan", *self.options], ["explain", *self.options], ["catalog"]):
            self.assertNotRegex(self.command(*words, NO_COLOR="1"), COLOUR)
            self.assertEqual(self.command(*words, TERM="dumb"), self.piped(*words))

    def test_hostile_texts(self) -> None:
        """Names from outside are shown as they are: no markup, and escapes for controls."""
        directory = temporary_directory(self)
        name = "[red]a[bold]:smile:\x1b[2J\x1b]0;x\x07-€"
        Path(directory, name).touch()
        words = [
            *("--scanner=twistdp.scanners:GlobScanner", "--set=resource=odd"),
            *(
                "--set=nodes_only=false",
                f"--set=pattern={directory}/*",
                "--namespace=a.example.com",
            ),
        ]
        for command in ("scan", "explain"):
            shown = ESCAPE.sub("", self.command(command, *words, COLUMNS="300"))
            self.assertIn(r"[red]a[bold]:smile:\x1b[2J\x1b]0;x\a-€", shown)
            self.assertNotRegex(shown, "[\x00-\x09\x0b-\x1f\x7f]")


class ConsoleTests(SynchronousTestCase):
    """`console`"""

    def test_no_terminal(self) -> None:
        """There is none without a terminal, and without an output."""
        self.assertIsNone(console(StringIO()))
        self.patch(sys, "stdout", None)
        self.assertIsNone(console())


class BusyTests(SynchronousTestCase):
    """`Busy`"""

    def setUp(self) -> None:
        """A terminal as standard error, where what takes long is shown at once."""
        self.patch(os, "environ", _environment())
        self.patch(terminal, "PATIENCE", 0.0)
        self.screen = Screen(self)
        errors: TextIO = os.fdopen(self.screen.slave, "w", encoding="utf-8")
        self.addCleanup(errors.close)
        self.patch(sys, "stderr", errors)

    def test_shown(self) -> None:
        """It shows what goes on and for how long, and leaves nothing."""
        with Busy("reading [red]devices"):
            self.screen.until("reading [red]devices")
            self.screen.until("0:00:00")
        self.assertTrue(self.screen.written.endswith("\x1b[2K"), self.screen.written)
        self.assertNotIn("\x1b[?25l", self.screen.written)  # the cursor

    def test_progress(self) -> None:
        """It shows how much is done, also before it was shown."""
        self.patch(terminal, "PATIENCE", 3600.0)
        with Busy("checking", 3) as busy:
            busy.advance()
            busy._show()
            self.screen.until("1/3")
            busy.advance()
            self.screen.until("2/3")

    def test_hidden(self) -> None:
        """While something else is printed it is not there."""
        with Busy("checking", 3) as busy:
            self.screen.until("0/3")
            with busy.hidden():
                begin = len(self.screen.written)
                sys.stderr.write("a result\n")
                sys.stderr.flush()
                self.assertEqual(self.screen.written[begin:], "a result\n")
                self.assertTrue(self.screen.written[:begin].endswith("\x1b[2K"))
            self.screen.until("a result\r\n\r\x1b[2K")
            busy.advance()
            self.screen.until("1/3")

    def test_brief(self) -> None:
        """Nothing is shown of what is done at once."""
        self.patch(terminal, "PATIENCE", 3600.0)
        with Busy("reading"):
            pass
        self.assertEqual(self.screen.written, "")

    def test_too_late(self) -> None:
        """Nothing is shown of what is over, even if the timer has just fired."""
        with Busy("reading") as busy:
            self.screen.until("reading")
        begin = len(self.screen.written)
        busy._show()
        self.assertEqual(self.screen.written[begin:], "")

    def test_no_terminal(self) -> None:
        """Where nobody looks nothing is shown."""
        errors = StringIO()
        self.patch(sys, "stderr", errors)
        with Busy("reading") as busy:
            busy._show()
            with busy.hidden():
                pass
        self.assertEqual(errors.getvalue(), "")


class WaitingTests(TerminalCase):
    """What takes over a second, since it waits for a line in a FIFO."""

    def setUp(self) -> None:
        """The FIFO, which can be written to also if nobody reads."""
        self.directory = temporary_directory(self)
        self.fifo = os.path.join(self.directory, "fifo")
        os.mkfifo(self.fifo)
        self.go = os.open(self.fifo, os.O_RDWR)
        self.addCleanup(os.close, self.go)
        self.screen = Screen(self)

    def start(self, *words: str, output: int) -> "subprocess.Popen[str]":
        """Start a command with standard error on the terminal."""
        child = subprocess.Popen(
            [TWISTDP, *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=self.screen.slave,
            env={**_environment(), "PYTHONPATH": self.directory},
            text=True,
        )
        self.screen.close()
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def test_scan(self) -> None:
        """A slow scan is announced on the terminal, and not in the pipe of its output."""
        Path(self.directory, "slow_scanner.py").write_text(SLOW, encoding="ascii")
        options = ("--scanner=slow_scanner:Slow", f"--set=fifo={self.fifo}")
        child = self.start("scan", *options, output=subprocess.PIPE)
        self.screen.until("looking at the devices")
        os.write(self.go, b"\n")
        output, _ = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 0, self.screen.written)
        self.assertRegex(output, r"^slow.example.com/null: 1 device\n  null  Healthy\n    /dev")
        self.assertNotIn("\x1b", output)
        self.assertTrue(self.screen.written.endswith("\x1b[2K"), self.screen.written)

    def test_conformance(self) -> None:
        """Slow checks are announced with their number; each result is a line of its own."""
        plugin = (
            f"read line < {self.fifo}; touch {{work_dir}}/a {{work_dir}}/c; "
            f"exec {sys.executable} {ROOT}/examples/plain_grpcio.py {{plugin_dir}} {{work_dir}}"
        )
        child = self.start(
            *("conformance", "--only=list.ids", "--", "sh", "-c", plugin), output=self.screen.slave
        )
        self.screen.until("\x1b[2K")  # the announcement, which is drawn again and again
        self.assertRegex(ESCAPE.sub("", self.screen.written), r"\r. starting the plugin +0:00:0")
        os.write(self.go, b"\n")
        self.screen.until("running the checks")
        self.screen.until("0/1")
        os.write(self.go, b"\n")
        child.communicate(timeout=60)
        self.assertEqual(child.returncode, 0, self.screen.written)
        self.assertRegex(self.screen.written, r"\x1b\[2K\[ 1/1\] .*pass.* list\.ids +.* s  Device")
        self.assertTrue(
            self.screen.written.endswith("\n1 passed, 0 with warnings, 0 skipped, 0 failed\n")
        )
