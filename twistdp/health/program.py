"""Makes the check of a command: runs a program and ends it, with all that it has started."""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Collection, Iterable
from threading import Lock
from typing import Final

from twistdp.errors import Untrusted
from twistdp.health.values import Command
from twistdp.host import check_file, remedy_for
from twistdp.model import printable

MOST_OUTPUT: Final = 1 << 20
"""Bytes that a program may print."""

_KEPT: Final = 4096
_SHOWN: Final = 500
_MARK: Final = "TWISTDP_CHECK"
_ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_ENVIRON: Final = 16384
"""Bytes that are read of a process's environment: a user's process may have megabytes."""

_MOST_ROUNDS: Final = 5
_STEP: Final = 0.02
"""Seconds between two looks at a program where the kernel does not report its end (Linux 5.3)."""


class Run:
    """One check that is being made; another thread may cancel it."""

    def __init__(self) -> None:
        self.is_cancelled = False
        self._lock = Lock()
        self._pid = 0
        self._mark = ""

    def start(self, command: Command) -> "subprocess.Popen[bytes] | None":
        """Start the program of a command, unless the run is cancelled."""
        with self._lock:
            if self.is_cancelled:
                return None
            self._mark = os.urandom(16).hex()
            # The program is the administrator's or the scanner's, and no shell reads it.
            process = subprocess.Popen(  # noqa: S603
                command.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                cwd="/",
                env={_MARK: self._mark, **_ENVIRONMENT},
                start_new_session=True,
            )
            self._pid = process.pid
            return process

    def kill(self) -> None:
        """Kill the program with all that it has started, if there is one.

        Also what has left its process group, as far as its environment shows it.
        """
        with self._lock:
            if self._pid:
                _kill_group(self._pid)
                _kill_marked({self._mark})

    def end(self) -> None:
        """Kill what is left of the process group of a program that has ended.

        Its process must not be reaped yet: nothing else can have its number until then.
        """
        with self._lock:
            _kill_group(self._pid)
            self._pid = 0

    def cancel(self) -> str:
        """Kill the process group, and make the run end soon; its outcome does not matter.

        Returns the mark of what it has started, empty if that is nothing.
        """
        with self._lock:
            self.is_cancelled = True
            if not self._pid:
                return ""
            _kill_group(self._pid)
            return self._mark


def cancel_all(runs: Iterable[Run]) -> None:
    """Cancel runs, and kill all that they have started before this returns."""
    marks = {mark for run in list(runs) if (mark := run.cancel())}
    if marks:
        _kill_marked(marks)


def of_command(check: Command, run: Run) -> str:
    """What is wrong; empty if nothing is."""
    program = check.command[0]
    try:
        check_file(program)
        process = run.start(check)
    except Untrusted as error:
        return f"the command cannot be trusted: {error.reason}; {error.remedy}"
    except (OSError, ValueError) as error:
        if remedy_for(error) is not None:
            raise
        return f"cannot run {program}: {getattr(error, 'strerror', None) or error}"
    if process is None:
        return "the check was cancelled"
    try:
        with process.stdout as output:  # type: ignore[union-attr]  # it is a pipe
            problem, tail = _watch(process.pid, output.fileno(), check)
        if problem or run.is_cancelled:
            run.kill()
    finally:
        run.end()
        code = _reap(process)
    last = f": {_last_line(tail)}" if _last_line(tail) else ""
    if problem:
        return f"the command {problem}{last}"
    if code is None:
        return "the command does not end though it was killed"
    if code < 0:
        return f"the command was ended by {_signal(-code)}{last}"
    return f"the command exited with status {code}{last}" if code else ""


def _watch(pid: int, output: int, check: Command) -> tuple[str, bytes]:
    """Read what a program prints until it ends; what is wrong, and the end of what it printed."""
    os.set_blocking(output, False)
    end = time.monotonic() + check.timeout
    tail, count = b"", 0
    with contextlib.ExitStack() as stack:
        poll = select.poll()
        poll.register(output, select.POLLIN)
        ended = -1
        with contextlib.suppress(OSError, AttributeError):
            ended = os.pidfd_open(pid)
            stack.callback(os.close, ended)
            poll.register(ended, select.POLLIN)
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return f"took longer than {check.timeout:g} s", tail
            step = left if ended >= 0 else min(left, _STEP)
            poll.poll(step * 1000.0 + 1.0)
            has_ended = _has_ended(pid)
            while (more := _read(output)) is not None:
                if not more:
                    with contextlib.suppress(KeyError):
                        poll.unregister(output)
                    break
                count += len(more)
                tail = (tail + more)[-_KEPT:]
                if count > MOST_OUTPUT:
                    return f"printed more than {MOST_OUTPUT >> 20} MiB", tail
                if time.monotonic() >= end:
                    break
            if has_ended:
                return "", tail


def _has_ended(pid: int) -> bool:
    """Whether a child has ended; leaves it to be reaped."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _read(output: int) -> bytes | None:
    try:
        return os.read(output, 65536)
    except BlockingIOError:
        return None


def _reap(process: "subprocess.Popen[bytes]") -> int | None:
    """Return the exit code of a process that has ended; None if it does not end at once."""
    try:
        return process.wait(1.0)
    except subprocess.TimeoutExpired:
        return None  # the kernel is busy with it; `subprocess` reaps it when it can


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _kill_marked(marks: Collection[str]) -> None:
    """Kill the processes that have inherited one of some marks."""
    wanted = {f"{_MARK}={mark}".encode() for mark in marks}
    for _ in range(_MOST_ROUNDS):  # one may start another while they are looked at
        found = False
        for name in os.listdir("/proc"):
            if not name.isdecimal():
                continue
            try:
                with open(f"/proc/{name}/environ", "rb", buffering=0) as file:
                    if not wanted.isdisjoint(file.read(_ENVIRON).split(b"\0")):
                        os.kill(int(name), signal.SIGKILL)
                        found = True
            except OSError:
                continue  # it has ended, or is not ours
        if not found:
            return


def _last_line(tail: bytes) -> str:
    lines = [line for line in tail.decode(errors="replace").splitlines() if line.strip()]
    line = lines[-1].strip() if lines else ""
    return printable(line if len(line) <= _SHOWN else f"...{line[-_SHOWN:]}")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
