"""post_release is called exactly once, whatever pods, plugin and kubelet do in which order."""

import random
import shutil
import socket
import tempfile
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from tests.resource.release_world import NODE, AtOnce, World
from twistdp.resource import releases

SCHEDULES = 1000
STEPS = 40


class ScheduleTests(SynchronousTestCase):
    """Random schedules; the seed of one that fails is in the message."""

    def play(self, seed: int) -> World:
        """One schedule."""
        directory = tempfile.mkdtemp(prefix="tdp-")
        try:
            random.seed(seed)  # for back-offs
            world = World(seed, directory)
            with (
                mock.patch.object(releases, "Worker", AtOnce),
                mock.patch.object(releases, "holdings_of", lambda *_: world.holdings),
                mock.patch.object(socket, "gethostname", lambda: NODE),
            ):
                world.play(STEPS)
                world.stop_plugin()
        finally:
            shutil.rmtree(directory)
        self.flushLoggedErrors(ZeroDivisionError)
        return world

    def test_exactly_once(self) -> None:
        """Each pod that had a device gives it back once, when it really did."""
        tenures = named = 0
        for seed in range(SCHEDULES):
            world = self.play(seed)
            if found := world.violations():
                self.fail("\n".join([f"seed {seed}:", *found, *world.history]))
            tenures += sum(map(len, world.tenures.values()))
            named += sum(
                call.holder is not None for calls in world.calls.values() for call in calls
            )
        self.assertGreater(tenures, 5 * SCHEDULES)
        self.assertGreater(named, 4 * SCHEDULES)
