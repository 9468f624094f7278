"""Tests for twistdp.rpc.needs."""

import errno
import os
import threading
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import no_descriptors
from twistdp.host.exhaustion import mending
from twistdp.rpc import needs
from twistdp.rpc.needs import DESCRIPTORS, THREADS, check_needs


class CheckNeedsTests(SynchronousTestCase):
    """`check_needs`"""

    def setUp(self) -> None:
        """Nothing has been checked yet, and there can be only so many threads."""
        self.patch(needs, "_checked", False)
        self.possible = THREADS
        self.begun: list[threading.Thread] = []
        start = threading.Thread.start
        case = self

        class Limited(threading.Thread):
            def start(self) -> None:
                if len(case.begun) == case.possible:
                    raise RuntimeError("can't start new thread")
                case.begun.append(self)
                start(self)

        self.patch(needs, "Thread", Limited)

    def alive(self) -> list[threading.Thread]:
        """What was started and has not ended; others come and go as they like."""
        return [thread for thread in self.begun if thread.is_alive()]

    def test_enough(self) -> None:
        """All are started at once, have ended afterwards, and are not tried again."""
        for _ in range(2):
            check_needs()
            self.assertEqual(len(self.begun), THREADS)
        self.assertEqual(self.alive(), [])

    def test_no_descriptors(self) -> None:
        """Too few descriptors are an error too, which leaves none open."""
        before = len(os.listdir("/proc/self/fd"))
        with no_descriptors(DESCRIPTORS - 1):
            error: Any = self.assertRaises(OSError, check_needs)
        self.assertEqual(error.errno, errno.EMFILE)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        with no_descriptors(DESCRIPTORS):
            check_needs()

    def test_too_few(self) -> None:
        """One too few is an error that says what mends it; the next call tries again."""
        self.possible = THREADS - 1
        error: Any = self.assertRaises(OSError, check_needs)
        self.assertIn("limit of threads", mending(error) or "")
        self.assertEqual(len(self.begun), THREADS - 1)
        self.assertEqual(self.alive(), [])
        self.begun.clear()
        self.possible = THREADS
        check_needs()
