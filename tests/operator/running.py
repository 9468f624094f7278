"""Runs ``twistd deviceplugin-operator`` as a child process of a test."""

import os
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.operator.served import NAMESPACE
from twistdp.testing.apiserver import ApiServer
from twistdp.testing.process import ChildProcess, twistd_command

LONGEST_END = 10.0
"""Seconds within which an operator ends, whatever the API server does: its pod has no more."""


class OperatorProcess(ChildProcess):
    """An operator of a fake API server, until the end of a test."""

    def __init__(self, case: TestCase, server: ApiServer, *options: str, **arguments: Any) -> None:
        path = Path(case.mktemp())
        path.write_text(server.kubeconfig(arguments.pop("token", "")))
        command = [
            *twistd_command(),
            "-n",
            "--pidfile=",
            "deviceplugin-operator",
            f"--kubeconfig={path}",
            f"--namespace={NAMESPACE}",
            "--plugin-image=example.com/twistdp:1",
            "--status-interval=0.1",
            *options,
        ]
        self._is_over = False
        super().__init__(command, reactor=reactor, path=os.getcwd(), **arguments)
        self.ended.addCallback(self._over)
        case.addCleanup(self._kill)

    def _over(self, status: int) -> int:
        self._is_over = True
        return status

    def _kill(self) -> "Deferred[int] | None":
        if self._is_over:
            return None
        self.signal("KILL")
        return self.ended

    async def end(self, name: str = "TERM") -> int:
        """Send a signal and return the exit status, which must come in time."""
        self.signal(name)
        return await self.ended.addTimeout(LONGEST_END, reactor)
