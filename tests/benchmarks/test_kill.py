"""A plugin that is killed at random moments, as ``make kill`` does it, some times."""

import os
import random
import threading

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from benchmarks.kill.killing import MOMENTS, Killing
from benchmarks.kill.watching import SpecWatch
from tests.support.helpers import temporary_directory


class KillTests(TestCase):
    """Real processes."""

    timeout = 300

    async def test_killed_and_started_again(self) -> None:
        """It is registered again each time, leaves nothing, and no spec is ever half written."""
        outcome = await Killing(reactor, random.Random()).run(2 * len(MOMENTS))
        self.assertEqual(outcome.problems, [])
        self.assertEqual(outcome.killed, dict.fromkeys(MOMENTS, 2))
        self.assertGreater(outcome.reads, 100)


class WatchTests(SynchronousTestCase):
    """The problems that the watch reports."""

    def setUp(self) -> None:
        """An empty directory."""
        self.watch = SpecWatch(temporary_directory(self))

    def put(self, text: str, name: str = "a.json") -> None:
        """A spec."""
        with open(os.path.join(self.watch.directory, name), "w", encoding="ascii") as file:
            file.write(text)

    GOOD = (
        '{"cdiVersion": "0.3.0", "kind": "a/b", '
        '"devices": [{"name": "x", "containerEdits": {"env": ["CONTENT=1"]}}]}'
    )

    def test_whole(self) -> None:
        """A whole spec is read for its names; a hidden file is not."""
        self.put(self.GOOD)
        self.put("{", ".a.json.tmp")
        self.assertEqual(self.watch.names(), {"a/b=x"})
        self.assertEqual((self.watch.reads, self.watch.problems), (1, []))

    def test_not_whole(self) -> None:
        """Every beginning of a spec is found, and a spec that lacks a part."""
        bad = [self.GOOD[:end] for end in range(len(self.GOOD))]
        bad.append(self.GOOD.replace("CONTENT", "").replace('["=1"]', "[]"))
        for number, text in enumerate(bad, 1):
            self.put(text)
            self.watch.names()
            self.assertEqual(len(self.watch.problems), number, text)

    def test_its_thread_ends(self) -> None:
        """It reads until the end of the block."""
        before = threading.active_count()
        with self.watch:
            self.put("{}")
            while not self.watch.problems:
                pass
        self.assertEqual(threading.active_count(), before)
