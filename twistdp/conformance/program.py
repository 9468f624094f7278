"""Runs a command line so that no process of it remains."""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from twistdp.conformance.processes import family
from twistdp.testing import ChildProcess, status_of

EOF = 1.0
"""Seconds to wait for output after everybody who writes has ended."""

LOOK = 0.005
"""Seconds between two looks at a condition."""


class Program(ChildProcess):
    """A started command, in a session of its own, so that Ctrl-C does not reach it.

    It has ended when its process has.  Its output may end much later or never, since processes in
    the background hold the pipes.
    """

    def __init__(self, command: Sequence[str], reactor: Any) -> None:
        self.status: int | None = None
        """The exit status, negative for a signal; None while it runs."""
        self._reactor = reactor
        self._waiting: list[Deferred[int]] = []
        self._session = 0
        super().__init__(["setsid", *command], reactor=reactor)

    def exited(self) -> Deferred[int]:
        """Fires with the exit status once the process has ended; may be cancelled."""
        if self.status is not None:
            return succeed(self.status)
        waiting: Deferred[int] = Deferred()
        self._waiting.append(waiting)
        return waiting

    async def end(self, name: str) -> int:
        """Send a signal and wait for the end; returns the exit status."""
        with suppress(ProcessExitedAlready):
            self.signal(name)
        return await self.exited()

    def relatives(self) -> list[int]:
        """The running processes that it has started, also after its own end.

        One that has begun a session of its own is not found once its parent has ended.
        """
        if self.status is not None and os.path.exists(f"/proc/{self._session}"):
            return []  # the number is another process's: a kernel does not reuse that of a session
        return family(self._session)[1:]

    async def kill_all(self) -> None:
        """Kill it with all its relatives, and read the rest of their output."""
        self._kill_relatives()
        await self.end("KILL")
        self._kill_relatives()  # those that have started meanwhile
        await self.drain()
        self._transport.loseConnection()

    async def drain(self) -> None:
        """Wait until all output has come, for `EOF` seconds at most."""
        deadline = self._reactor.seconds() + EOF
        while not self.ended.called and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, LOOK)

    def connectionMade(self) -> None:
        """Remember the process id, which is gone once the process has ended."""
        assert self.transport is not None
        self._session = int(self.transport.pid)

    def processExited(self, reason: Failure) -> None:
        """The process has ended; output may still come."""
        self.status = status_of(reason)
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.called:
                one.callback(self.status)

    def _kill_relatives(self) -> None:
        for pid in self.relatives():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def described(status: int) -> str:
    """An exit status in words."""
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"exited with status {status}"
