"""Processes that the suite starts: their end, their output, and their removal."""

import contextlib
import os
import signal
from typing import Any

from twisted.internet import reactor
from twisted.internet.process import reapAllProcesses
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.support.helpers import soon
from twistdp.conformance.program import Program


def runs(pid: int) -> bool:
    """Whether a process runs."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def kill(pid: int) -> None:
    """End what a test has let escape."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class AtOnce:
    """A reactor whose processes have ended before anybody learns that they began."""

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)

    def spawnProcess(self, *args: Any, **options: Any) -> Any:
        """Start it and see its end."""
        transport = reactor.spawnProcess(*args, **options)
        while transport.pid:
            reapAllProcesses()
        return transport


class ProgramTests(TestCase):
    """Shells, with and without children."""

    def shell(self, command: str) -> Program:
        """What a shell runs."""
        program = Program(["sh", "-c", command], reactor)
        self.addCleanup(program.kill_all)
        return program

    async def written(self, program: Program) -> list[int]:
        """The numbers of processes that it has written, once it has written a line."""
        while "\n" not in program.output:
            await deferLater(reactor, 0.005)
        return [int(word) for word in program.output.split()]

    async def test_ends(self) -> None:
        """Its status and what it wrote."""
        program = self.shell("echo out; echo err >&2; exit 3")
        self.assertEqual(await soon(program.exited()), 3)
        await program.drain()
        self.assertEqual(sorted(program.output.split()), ["err", "out"])
        self.assertEqual((program.status, await program.exited()), (3, 3))

    async def test_background(self) -> None:
        """Its end does not wait for what it leaves in the background, which is found and killed."""
        program = self.shell("sleep 60 & echo $!")
        self.assertEqual(await soon(program.exited()), 0)
        (pid,) = await self.written(program)
        self.assertEqual(program.relatives(), [pid])
        self.assertTrue(runs(pid))
        await program.kill_all()
        self.assertFalse(runs(pid))

    async def test_over_at_once(self) -> None:
        """It may have ended before it is known to have begun; what it has left is found."""
        program = Program(["sh", "-c", "sleep 60 & echo $!"], AtOnce())
        self.addCleanup(program.kill_all)
        self.assertEqual((program.status, program.pid), (0, 0))
        (pid,) = await self.written(program)
        self.assertEqual(program.relatives(), [pid])
        await program.kill_all()
        self.assertFalse(runs(pid))

    async def test_wrapper(self) -> None:
        """A shell that does not exec is ended without its child; together they are killed."""
        program = self.shell("sh -c 'echo $$; exec sleep 60'; true")
        (pid,) = await self.written(program)
        program.signal("TERM")
        self.assertEqual(await soon(program.exited()), -signal.SIGTERM)
        self.assertTrue(runs(pid))
        await program.kill_all()
        self.assertFalse(runs(pid))

    async def test_other_sessions(self) -> None:
        """A child that has begun a session of its own is killed too."""
        program = self.shell("setsid sh -c 'echo $$; exec sleep 60'; true")
        (pid,) = await self.written(program)
        await program.kill_all()
        self.assertFalse(runs(pid))

    async def test_escaped(self) -> None:
        """A daemon that nobody finds any more keeps the pipes, and is not waited for."""
        program = self.shell("setsid sh -c 'echo $$; exec sleep 60' &")
        (pid,) = await self.written(program)
        self.addCleanup(kill, pid)
        await soon(program.exited())
        await program.kill_all()
        self.assertTrue(runs(pid))
        await soon(program.ended)

    async def test_session(self) -> None:
        """A terminal's Ctrl-C goes to the suite alone."""
        program = self.shell("echo $$; exec sleep 60")
        (pid,) = await self.written(program)
        self.assertEqual((os.getsid(pid), pid), (pid, program.pid))

    async def test_cancelled(self) -> None:
        """A cancelled wait does not affect others."""
        program = self.shell("read line")
        waiting, other = program.exited(), program.exited()
        waiting.addErrback(lambda failure: None)
        waiting.cancel()
        program.signal("TERM")
        self.assertEqual(await soon(other), -signal.SIGTERM)

    async def test_noisy(self) -> None:
        """The last output before the end is kept."""
        program = self.shell("yes | head -c 300000; echo; echo last; kill -9 $$")
        self.assertEqual(await soon(program.exited()), -signal.SIGKILL)
        await program.kill_all()
        self.assertTrue(program.output.endswith("last\n"))
