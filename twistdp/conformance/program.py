"""A command line as a process of which nothing is left."""

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
"""Seconds that output may be on its way once nobody should write any more."""

LOOK = 0.005
"""Seconds between two looks at whether it has come."""


class Program(ChildProcess):
    """A command that was started, in a session of its own: Ctrl-C is not for it.

    Its end is the end of its process.  That of its output can be long after, or never come:
    whatever it has left in the background holds the pipes.
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
        """The processes that it has started and that still run, also after its own end.

        One that has begun a session of its own is not found once its parent has ended.
        """
        if self.status is not None and os.path.exists(f"/proc/{self._session}"):
            return []  # a stranger has got the number: no kernel gives away one of a session
        return family(self._session)[1:]

    async def kill_all(self) -> None:
        """Kill it with all its relatives, and take what they have written."""
        self._kill_relatives()
        await self.end("KILL")
        self._kill_relatives()  # those that were started meanwhile
        await self.drain()
        self._transport.loseConnection()

    async def drain(self) -> None:
        """Wait until all output has come, but not for somebody who could still write some."""
        deadline = self._reactor.seconds() + EOF
        while not self.ended.called and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, LOOK)

    def connectionMade(self) -> None:
        """It has been started; it may have ended before anybody else is told its number."""
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
