"""Tests for twistdp.rpc.threads."""

import threading
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twistdp.exhaustion import mending
from twistdp.rpc import threads
from twistdp.rpc.threads import NEEDED, require_threads


class RequireThreadsTests(SynchronousTestCase):
    """`require_threads`"""

    def setUp(self) -> None:
        """Nothing has been checked yet, and there can be only so many threads."""
        self.patch(threads, "_checked", False)
        self.possible = NEEDED
        self.begun = 0
        start = threading.Thread.start
        case = self

        class Limited(threading.Thread):
            def start(self) -> None:
                if case.begun == case.possible:
                    raise RuntimeError("can't start new thread")
                case.begun += 1
                start(self)

        self.patch(threads, "Thread", Limited)
        self.before = threading.active_count()

    def test_enough(self) -> None:
        """All are started at once, have ended afterwards, and are not tried again."""
        for _ in range(2):
            require_threads()
            self.assertEqual(self.begun, NEEDED)
        self.assertEqual(threading.active_count(), self.before)

    def test_too_few(self) -> None:
        """One too few is an error that says what mends it; the next call tries again."""
        self.possible = NEEDED - 1
        error: Any = self.assertRaises(OSError, require_threads)
        self.assertIn("limit of threads", mending(error) or "")
        self.assertEqual(threading.active_count(), self.before)
        self.begun = 0
        self.possible = NEEDED
        require_threads()
