"""Runs ``twistd deviceplugin`` as a child process."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure


def twistd_command() -> list[str]:
    """The twistd of this Python installation."""
    beside = os.path.join(os.path.dirname(sys.executable), "twistd")
    if os.path.exists(beside):
        return [beside]
    return [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]


class ChildProcess(ProcessProtocol):
    """A child whose output is kept; `ended` fires with its exit status, negative for a signal."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        reactor: Any,
        path: str | None = None,
        env: Mapping[str, str] | None = None,
        usePTY: bool = False,
    ) -> None:
        self.output = ""
        """Standard output and standard error, mixed."""
        self.ended: Deferred[int] = Deferred()
        self._transport = reactor.spawnProcess(
            self, command[0], command, env={**os.environ, **(env or {})}, path=path, usePTY=usePTY
        )

    @property
    def pid(self) -> int:
        """Process id; 0 once it has ended."""
        return int(self._transport.pid or 0)

    def signal(self, name: str) -> None:
        """Send a signal, such as ``"TERM"``."""
        self._transport.signalProcess(name)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """The child wrote something."""
        self.output += data.decode(errors="replace")

    def processEnded(self, reason: Failure = Failure(ProcessDone(0))) -> None:  # noqa: B008
        """The child has ended and its output is complete."""
        self.ended.callback(status_of(reason))


def status_of(reason: Failure) -> int:
    """The exit status in Twisted's reason, negative for a signal."""
    value = reason.value
    assert isinstance(value, ProcessDone | ProcessTerminated)
    return -value.signal if value.signal else value.exitCode or 0
