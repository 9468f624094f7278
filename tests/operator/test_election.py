"""Two real operators of one API server: one works, and the other one when the first is gone."""

import os
import signal

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tests.operator.running import OperatorProcess
from tests.operator.served import DEVICE_PLUGINS, NAMESPACE, api_server, plugin
from tests.support.helpers import until
from twistdp.operator.leader import DURATION, RETRY
from twistdp.testing.apiserver import ApiCall

BUSY = 6
"""Seconds that a busy machine may add."""
LONGEST_TAKEOVER = DURATION + 2 * RETRY + BUSY
"""Seconds until another one works."""


class ElectionTests(TestCase):
    """The leader ends in various ways."""

    timeout = 300

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """Start an API server and two operators, each with a token of its own."""
        self.server = await api_server(DEVICE_PLUGINS)
        self.addCleanup(self.server.stop)
        self.server.tokens = {"1": "one", "2": "two"}
        self.server.objects.create(plugin("gpus", catalog=[{"name": "intel-gpu"}]))
        self.first = await self.operator("1")
        await self.server.until(self.is_done)
        self.second = await self.operator("2")
        await until(lambda: "another operator is the leader" in self.second.output)

    async def operator(self, token: str) -> OperatorProcess:
        """An operator that stands for election."""
        return OperatorProcess(self, self.server, "--leader-election", token=token)

    def is_done(self) -> bool:
        """Whether all is as it should be, and the status says so."""
        objects = self.server.objects
        if not objects.find("daemonsets", "gpus", NAMESPACE):
            return False
        return "status" in objects.get("deviceplugins", "gpus")

    def writes(self, user: str) -> list[ApiCall]:
        """What an operator has written, but for the lease."""
        return [
            call
            for call in self.server.calls
            if call.user == user and call.is_write and call.kind != "leases"
        ]

    async def takes_over(self, longest: float = LONGEST_TAKEOVER) -> float:
        """Wait until the second one repairs what is wrong; return the seconds."""
        began = reactor.seconds()
        self.assertEqual(self.writes("two"), [])
        self.server.objects.delete("daemonsets", "gpus", NAMESPACE)
        await self.server.until(
            lambda: self.server.objects.find("daemonsets", "gpus", NAMESPACE), longest
        )
        self.assertTrue(self.writes("two"))
        return reactor.seconds() - began

    async def test_ended(self) -> None:
        """One that ends gives the lease up, so the next need not wait for its end."""
        self.assertEqual(await self.first.end(), 0)
        await self.takes_over(RETRY + BUSY)

    async def test_killed(self) -> None:
        """One that is killed."""
        self.first.signal("KILL")
        await self.first.ended
        await self.takes_over()

    async def test_stopped(self) -> None:
        """One that stands still, and goes on later: it no longer writes."""
        os.kill(self.first.pid, signal.SIGSTOP)
        await self.takes_over()
        before = len(self.writes("one"))  # with what was under way
        os.kill(self.first.pid, signal.SIGCONT)
        self.server.objects.delete("daemonsets", "gpus", NAMESPACE)
        await self.server.until(lambda: self.server.objects.find("daemonsets", "gpus", NAMESPACE))
        await until(lambda: "is no longer the leader" in self.first.output)
        await until(lambda: "another operator is the leader" in self.first.output)
        self.assertEqual(len(self.writes("one")), before)
        self.assertEqual(await self.first.end(), 0, self.first.output)

    async def test_both_go_on(self) -> None:
        """While both run, one of them writes."""
        self.server.objects.delete("daemonsets", "gpus", NAMESPACE)
        await self.server.until(lambda: self.server.objects.find("daemonsets", "gpus", NAMESPACE))
        self.assertEqual(self.writes("two"), [])
