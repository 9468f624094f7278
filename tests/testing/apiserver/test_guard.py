"""What a test process has started ends with it, even if it is killed."""

import os
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tests.support.helpers import soon, until
from twistdp.testing.process import ChildProcess

PROGRAM = """
import subprocess, sys, threading
from pathlib import Path
from tests.support.guard import Guard

quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
child = subprocess.Popen(["sleep", "1000"], **quiet)
guards = []
thread = threading.Thread(target=lambda: guards.append(Guard(Path(sys.argv[1]), [child.pid])))
thread.start()
thread.join()
if sys.argv[2] == "leave":
    guards[0].leave()
print(child.pid, guards[0]._shell.pid, "begun", flush=True)
sys.stdin.read()
"""


def runs(pid: int) -> bool:
    """Whether a process runs; nobody may take note of one that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class GuardTests(TestCase):
    """A process that starts another one, and its guard."""

    async def begin(self, what: str) -> tuple[ChildProcess, int, int]:
        """Start it; return it, the process that it has started, and the guard's shell."""
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        child = ChildProcess(
            [sys.executable, "-c", PROGRAM, str(self.directory), what],
            reactor=reactor,
            path=str(Path(__file__).parents[3]),
        )
        await until(lambda: "begun" in child.output)
        pid, shell = map(int, child.output.split()[:2])
        return child, pid, shell

    async def test_killed(self) -> None:
        """What it has started is killed with it, and its directory removed."""
        child, pid, shell = await self.begin("stay")
        self.assertTrue(runs(pid))
        child.signal("KILL")
        await soon(child.ended)
        await until(lambda: not runs(pid))
        await until(lambda: not self.directory.exists())
        await until(lambda: not runs(shell))

    async def test_left(self) -> None:
        """A guard that has been dismissed kills nobody."""
        child, pid, shell = await self.begin("leave")
        self.assertFalse(runs(shell))
        child.signal("KILL")
        await soon(child.ended)
        self.assertTrue(runs(pid))
        self.assertTrue(self.directory.exists())
        os.kill(pid, 9)
