"""A manager and a kubelet over real sockets, to which all sorts of things happen."""

import asyncio
import statistics

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tests.faults.effort import effort, replay, tell
from tests.faults.hardware import Broken
from tests.faults.rounds import Round
from twistdp.errors import BadTree
from twistdp.rpc import bridge

ROUNDS = effort("ROUNDS", 12)

FAULTS = 10
"""How many a round has, at least."""

PATIENCE = 15.0
"""Seconds in which all must be well again, on a machine that does other things too."""


class RoundTests(TestCase):
    """After each round all devices are listed, a change is seen, and a stop leaves nothing."""

    timeout = 3600.0 * 24

    async def play(self, way: str) -> None:
        """All rounds of one way to register."""
        seconds = [0.0]
        others = asyncio.all_tasks(bridge.loop_of(reactor))
        for seed in ROUNDS:
            played = Round(seed, way, reactor, patience=PATIENCE)
            try:
                seconds += await played.run(FAULTS)
                self.assertEqual(played.left, set(), "left behind")
                tasks = asyncio.all_tasks(bridge.loop_of(reactor)) - others
                self.assertEqual([str(task) for task in tasks], [], "left behind")
            except Exception as error:
                history = "\n".join(played.history)
                again = replay("ROUNDS", seed)
                self.fail(f"{error!r}\n{history}\nregistered by {way}; play it again: {again}")
            finally:
                self.flushLoggedErrors(Broken, BadTree)
        median, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
        tell(
            f"{way}: {len(ROUNDS)} rounds, {len(seconds) - 1} recoveries in {median:.1f} ms "
            f"(median), {worst:.0f} ms (worst)"
        )

    async def test_socket(self) -> None:
        """Registered at the kubelet's socket."""
        await self.play("socket")

    async def test_watcher(self) -> None:
        """Found by the kubelet."""
        await self.play("watcher")
