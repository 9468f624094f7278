"""The plugin under test as a process."""

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.error import ProcessExitedAlready

from twistdp.conformance.plan import Plan, filled
from twistdp.conformance.processes import family
from twistdp.settings import PLUGIN_DIRECTORY
from twistdp.testing.process import ChildProcess

_BIND = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'


class Subject(ChildProcess):
    """A plugin that was started; `places` are the paths that its command line is given."""

    def __init__(self, plan: Plan, places: Mapping[str, str], reactor: Any) -> None:
        command: Sequence[str] = [filled(word, places) for word in plan.command]
        if plan.bind:
            # In a mount namespace of its own, where nobody else sees what is bound.
            command = [
                *("unshare", "--mount", "--propagation", "private"),
                *("sh", "-c", _BIND, "sh", places["plugin_dir"], PLUGIN_DIRECTORY, *command),
            ]
        super().__init__(command, reactor=reactor)
        self.status: int | None = None
        """The exit status, negative for a signal; None while it runs."""
        self.ended.addCallback(self._note)

    async def end(self, name: str) -> int:
        """Send a signal and wait for the end; returns the exit status."""
        with suppress(ProcessExitedAlready):
            self.signal(name)
        await self.ended
        assert self.status is not None
        return self.status

    async def kill_all(self) -> None:
        """Kill it with all its children, so that nothing is left of a check."""
        if self.pid:
            for pid in family(self.pid)[1:]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        await self.end("KILL")

    def _note(self, status: int) -> int:
        self.status = status
        return status


def described(status: int) -> str:
    """An exit status in words."""
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"exited with status {status}"
