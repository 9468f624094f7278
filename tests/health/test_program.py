"""Tests for twistdp.health.program, with real processes."""

import os
import resource
import select
import signal
import subprocess
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.support.helpers import PATIENCE, soon, temporary_directory, until
from tests.support.users import ALICE, NEEDS_ROOT
from twistdp.health.program import _MARK, Run, _kill_marked, cancel_all, of_command
from twistdp.health.values import Command


def shell(script: str, timeout: float = 30.0) -> Command:
    """A command that runs a script; no check has a shell that it did not ask for."""
    return Command(["/bin/sh", "-c", script], timeout=timeout)


def has_ended(pid: int) -> bool:
    """Whether a process has ended, or ends within seconds: to be killed takes a moment."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        end = select.poll()
        end.register(descriptor, select.POLLIN)
        return bool(end.poll(30_000))
    finally:
        os.close(descriptor)


class CommandTests(SynchronousTestCase):
    """`of_command`"""

    def setUp(self) -> None:
        """A directory for programs."""
        self.directory = temporary_directory(self)

    def check(self, script: str, timeout: float = 30.0) -> str:
        """The outcome of a script."""
        return of_command(shell(script, timeout), Run())

    def pids(self, name: str = "pids") -> list[int]:
        """The processes that scripts have noted, which are waited for."""
        path = Path(self.directory, name)
        return [int(line) for line in path.read_text().split()]

    def test_outcomes(self) -> None:
        """Status 0 is good; anything else is a reason, with the last line that was printed."""
        for script, expected in (
            ("true", ""),
            ("echo fine", ""),
            ("exit 3", "the command exited with status 3"),
            ("echo one; echo two >&2; exit 4", "the command exited with status 4: two"),
            ("printf 'a\\033[31mb\\n\\n'; exit 1", "the command exited with status 1: a\\x1b[31mb"),
            ("printf '\\377\\n'; exit 1", "the command exited with status 1: \ufffd"),
            (
                f"echo {'a' * 500}; exit 1",
                f"the command exited with status 1: {'a' * 500}",
            ),
            (f"echo {'a' * 501}; exit 1", f"the command exited with status 1: ...{'a' * 500}"),
            ("kill -TERM $$", "the command was ended by SIGTERM"),
            ("kill -40 $$", "the command was ended by signal 40"),
        ):
            self.assertEqual(self.check(script), expected, script)

    def test_not_there(self) -> None:
        """A program that is not there, or is none, is a reason."""
        path = os.path.join(self.directory, "text")
        Path(path).write_text("no program\n")
        self.assertEqual(
            of_command(Command([f"{path}s"]), Run()),
            f"cannot run {path}s: No such file or directory",
        )
        self.assertEqual(
            of_command(Command([path]), Run()), f"cannot run {path}: Permission denied"
        )
        os.chmod(path, 0o755)
        self.assertEqual(
            of_command(Command([path]), Run()), f"cannot run {path}: Exec format error"
        )

    def test_surroundings(self) -> None:
        """It has a session of its own, nothing to read, no descriptor, and a clean environment."""
        self.patch(os, "environ", {**os.environ, "SECRET": "x", "LD_PRELOAD": "/x.so"})
        kept = os.open(self.directory, os.O_RDONLY)
        self.addCleanup(os.close, kept)
        os.set_inheritable(kept, True)
        out = os.path.join(self.directory, "out")
        script = (
            f"exec >{out}; pwd; readlink /proc/self/fd/0; ls /proc/$$/fd | wc -l; "
            "cut -d' ' -f1,6 /proc/$$/stat; env | cut -d= -f1 | sort | tr '\\n' ' '"
        )
        self.assertEqual(self.check(script), "")
        place, null, count, ids, names = Path(out).read_text().splitlines()
        pid, session = ids.split()
        self.assertEqual((place, null, pid), ("/", "/dev/null", session))
        self.assertLessEqual(int(count), 4)  # a shell may hold its own output
        self.assertEqual(names.split(), ["LANG", "PATH", "PWD", "TWISTDP_CHECK"])

    def test_time_limit(self) -> None:
        """What takes too long is killed: what ignores SIGTERM, and what has left the session."""
        note = f"echo $$ >>{self.directory}/pids"
        inner = f"sh -c '{note}; exec sleep 600'"
        script = f"trap '' TERM HUP; {note}; setsid {inner} & {inner} & wait"
        for limit in (1, 5, 25):
            Path(self.directory, "pids").write_text("")
            self.assertEqual(self.check(script, limit), f"the command took longer than {limit} s")
            pids = self.pids()
            if len(pids) == 3:  # a busy machine may not have started all of them in time
                break
        self.assertEqual(len(pids), 3)
        self.assertEqual([pid for pid in pids if not has_ended(pid)], [])

    def test_left_behind(self) -> None:
        """A child that a program leaves behind does not make it last, and is killed."""
        script = f"sleep 600 & echo $! >{self.directory}/pids"
        self.assertEqual(self.check(script), "")
        self.assertTrue(has_ended(self.pids()[0]))

    def test_large_environments(self) -> None:
        """Only the beginning of an environment is read: a user's processes may have megabytes.

        What a check has started has its mark there.
        """
        mark = os.urandom(16).hex()
        large = {f"A{number}": "x" * 100_000 for number in range(10)}
        ours, theirs = (
            subprocess.Popen(["sleep", "600"], env=environment)
            for environment in ({_MARK: mark, **large}, {**large, _MARK: mark})
        )
        self.addCleanup(theirs.wait)
        self.addCleanup(theirs.kill)
        _kill_marked({mark})
        self.assertEqual(ours.wait(PATIENCE), -signal.SIGKILL)
        self.assertIsNone(theirs.poll())

    def test_floods(self) -> None:
        """A program that prints without an end is killed, and costs no memory."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.assertEqual(
            self.check("exec head -c 8000000000 /dev/zero"),
            "the command printed more than 1 MiB: ..." + "\\x00" * 500,
        )
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.assertLess(after - before, 8 * 1024)

    def test_closed_output(self) -> None:
        """The end of the output is not the end of the program."""
        self.assertEqual(
            self.check("exec >&- 2>&-; sleep 0.2; exit 5"), "the command exited with status 5"
        )

    def test_without_pidfd(self) -> None:
        """Before Linux 5.3 the kernel does not report the end of a process."""
        self.patch(os, "pidfd_open", lambda pid: os.open("/nowhere", os.O_RDONLY))
        self.assertEqual(self.check("exit 2"), "the command exited with status 2")
        self.assertEqual(self.check("exec sleep 600", 0.3), "the command took longer than 0.3 s")

    def test_lack(self) -> None:
        """Too few descriptors for a program do not make a device unhealthy."""
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = max(map(int, os.listdir("/proc/self/fd")))
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 2, limits[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        fill = []
        try:
            while True:
                fill.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
        try:
            self.assertRaises(OSError, self.check, "true")
        finally:
            for descriptor in fill:
                os.close(descriptor)


class TrustTests(SynchronousTestCase):
    """Programs that others could change."""

    skip = NEEDS_ROOT

    def test_untrusted(self) -> None:
        """It is checked each time it runs, and never runs when others could change it."""
        directory = temporary_directory(self)
        program, proof = os.path.join(directory, "probe"), os.path.join(directory, "proof")
        Path(program).write_text(f"#!/bin/sh\ntouch {proof}\n")
        os.chmod(program, 0o755)
        command = Command([program], timeout=PATIENCE)
        self.assertEqual(of_command(command, Run()), "")
        os.unlink(proof)
        os.chmod(program, 0o757)
        self.assertEqual(
            of_command(command, Run()),
            f"the command cannot be trusted: others may write to {program} (user 0, mode 0757); "
            f"chmod go-w {program}",
        )
        os.chmod(program, 0o755)
        os.chown(program, ALICE, 0)
        self.assertIn("belongs to user 31001", of_command(command, Run()))
        os.chown(program, 0, 0)
        os.chmod(directory, 0o777)
        self.assertIn(f"others may write in {directory}", of_command(command, Run()))
        self.assertFalse(os.path.exists(proof))


class CancelTests(TestCase):
    """Runs that another thread cancels."""

    async def test_cancel(self) -> None:
        """The program and all that it has started are gone when `cancel_all` returns."""
        directory = temporary_directory(self)
        note = f"echo $$ >>{directory}/pids"
        inner = f"sh -c '{note}; exec sleep 600'"
        run = Run()
        command = shell(f"{note}; setsid {inner} & {inner} & wait", 600.0)
        ended: Deferred[str] = deferToThread(of_command, command, run)
        path = Path(directory, "pids")
        await until(lambda: path.exists() and len(path.read_text().split()) == 3)
        cancel_all([run, Run()])
        pids = map(int, path.read_text().split())
        self.assertEqual([pid for pid in pids if not has_ended(pid)], [])
        await soon(ended)

    def test_before_it_begins(self) -> None:
        """A run that was cancelled before starts nothing."""
        run = Run()
        run.cancel()
        self.assertEqual(of_command(Command(["/bin/false"]), run), "the check was cancelled")
