"""Tests for `twistdp.resource.blocked`."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from twisted.logger import LogEvent, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.support.logs import observe
from twistdp.resource import blocked
from twistdp.resource.blocked import BlockedWatch


class Turns:
    """A reactor that turns when the test says so."""

    def __init__(self) -> None:
        self.asked: SimpleQueue[Callable[[], Any]] = SimpleQueue()

    def callFromThread(self, function: Callable[[], Any]) -> None:
        """Keep the call for the next turn."""
        self.asked.put(function)

    def turn(self) -> None:
        """Make the next call."""
        self.asked.get(timeout=30.0)()


class BlockedWatchTests(SynchronousTestCase):
    """Tests for `BlockedWatch`."""

    def setUp(self) -> None:
        """Make the times short, and keep the log's lines."""
        self.patch(blocked, "LONG", 0.01)
        self.patch(blocked, "PAUSE", 0.01)
        self.turns = Turns()
        self.watch = BlockedWatch(self.turns)
        self.lines: SimpleQueue[tuple[str, str]] = SimpleQueue()
        observe(self, self._observe)
        self.addCleanup(self.end)

    def _observe(self, event: LogEvent) -> None:
        if event.get("log_namespace") == "twistdp.resource.blocked":
            self.lines.put((event["log_level"].name, formatEvent(event)))

    def end(self) -> None:
        """See the thread end by itself."""
        thread = self.watch._thread
        while thread is not None and thread.is_alive():
            while not self.turns.asked.empty():
                self.turns.turn()
            thread.join(0.01)
        self.assertIsNone(self.watch._thread)

    def test_blocked_thread(self) -> None:
        """A thread that is blocked is reported with a name and its stack, and again at the end."""

        def ask_the_card() -> tuple[str, str]:
            return self.lines.get(timeout=30.0)

        with self.watch.watching("scanner acme: allocate"):
            level, line = ask_the_card()
        self.assertEqual(level, "error")
        self.assertIn("scanner acme: allocate: the process has been blocked for 0.01 s", line)
        self.assertIn("in ask_the_card", line)
        self.turns.turn()
        level, line = self.lines.get(timeout=30.0)
        self.assertEqual(level, "warn")
        self.assertIn("scanner acme: allocate: the process goes on after 0.", line)

    def test_thread_that_turns(self) -> None:
        """A hook that waits while the reactor turns is not logged."""
        self.patch(blocked, "LONG", 5.0)
        with self.watch.watching("scanner acme: allocate"):
            for _ in range(3):
                self.turns.turn()
        self.assertTrue(self.lines.empty())

    def test_one_thread_that_ends(self) -> None:
        """Many hooks are watched by one thread, which ends when there are none."""
        self.patch(blocked, "LONG", 5.0)
        with self.watch.watching("one"), self.watch.watching("two"):
            thread = self.watch._thread
            with self.watch.watching("one"):
                self.assertIs(self.watch._thread, thread)
        self.end()
        with self.watch.watching("three"):
            self.assertIsNot(self.watch._thread, thread)

    def test_late_thread(self) -> None:
        """A thread that starts when all hooks have ended asks the reactor for nothing."""
        self.watch._watch()
        self.assertTrue(self.turns.asked.empty())

    def test_no_thread(self) -> None:
        """If no thread can start, the hook runs unwatched."""

        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        patch = self.patch(threading.Thread, "start", refuse)
        with self.watch.watching("one"):
            self.assertIsNone(self.watch._thread)
        patch.restore()
