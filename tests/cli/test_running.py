"""Tests for `twistdp.cli.running`, which installs a reactor: each in a child process."""

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.support.clocks import STEPS, WallClock
from tests.support.helpers import temporary_directory

_COMMAND = """\
import os, sys, time
from twisted.internet.task import deferLater
from twistdp.cli.running import run_on_reactor

async def main(reactor):
    begun = time.monotonic()
    waiting = deferLater(reactor, 0.2)
    with open(os.environ["TWISTDP_TEST_CLOCK"], "w") as file:
        file.write(sys.argv[1])
    await waiting
    return 0 if 0.15 < time.monotonic() - begun else 1

sys.exit(run_on_reactor(main))
"""


class RunningTests(SynchronousTestCase):
    """`run_on_reactor`"""

    def test_the_wall_clock_is_set(self) -> None:
        """A command can wait for events of the reactor."""
        clock = WallClock(temporary_directory(self))
        for step in STEPS:
            done = subprocess.run(
                [sys.executable, "-c", _COMMAND, str(step)],
                env={**os.environ, **clock.env},
                timeout=60,
                check=False,
            )
            self.assertEqual(done.returncode, 0, step)
