"""Tests for twistdp.host.limits."""

import errno
import os
import resource
import threading
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import stopped
from tests.support.limits import no_descriptors
from twistdp.errors import KubeletAbsent
from twistdp.host import limits
from twistdp.host.limits import (
    ENOUGH,
    REMEDIES,
    DescriptorWatch,
    check_descriptors,
    check_threads,
    raise_limit,
    remedy_for,
)


class RemedyTests(SynchronousTestCase):
    """`remedy_for`"""

    def test_exhausted(self) -> None:
        """Each errno of something that has run out has a remedy."""
        for number in REMEDIES:
            self.assertEqual(remedy_for(OSError(number, "x")), REMEDIES[number])

    def test_others(self) -> None:
        """Other errors have none: a missing file, a forbidden one, no OSError."""
        others = [
            FileNotFoundError(errno.ENOENT, "x"),
            PermissionError(errno.EACCES, "x"),
            OSError("no number"),
            KubeletAbsent("an OSError, too"),
            ValueError(errno.EMFILE),
            None,
        ]
        self.assertEqual([remedy_for(error) for error in others], [None] * len(others))


class CheckTests(SynchronousTestCase):
    """`check_descriptors` and `check_threads`"""

    def test_descriptors(self) -> None:
        """Without so many descriptors it raises the system's error; it leaves none open."""
        before = len(os.listdir("/proc/self/fd"))
        for number in (1, 5):
            with no_descriptors(number):
                check_descriptors(number)
            with no_descriptors(number - 1):
                error = self.assertRaises(OSError, check_descriptors, number)
            self.assertEqual(error.errno, errno.EMFILE)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_threads(self) -> None:
        """It starts all threads at once, and ends them; one too few is an error."""
        started: list[threading.Thread] = []
        possible = 5

        class Limited(threading.Thread):
            def start(self) -> None:
                if len(started) == possible:
                    raise RuntimeError("can't start new thread")
                started.append(self)
                super().start()

        self.patch(limits, "Thread", Limited)
        check_threads(5)
        self.assertEqual(len(started), 5)
        self.assertFalse(any(thread.is_alive() for thread in started))
        started.clear()
        error: Any = self.assertRaises(OSError, check_threads, 6)
        self.assertIn("limit of threads", remedy_for(error) or "")
        self.assertFalse(any(thread.is_alive() for thread in started))


class LimitTests(SynchronousTestCase):
    """`raise_limit`"""

    def limited(self, soft: int, hard: int) -> list[tuple[int, int]]:
        """Return the limits that are set if these are the old ones."""
        changes: list[tuple[int, int]] = []
        self.patch(resource, "getrlimit", lambda _: (soft, hard))
        self.patch(resource, "setrlimit", lambda _, limits: changes.append(limits))
        raise_limit()
        return changes

    def test_raised(self) -> None:
        """To the hard limit, but never to so much that closing all would take long."""
        endless = resource.RLIM_INFINITY
        self.assertEqual(self.limited(1024, 4096), [(4096, 4096)])
        self.assertEqual(self.limited(1024, 10**9), [(ENOUGH, 10**9)])
        self.assertEqual(self.limited(1024, endless), [(ENOUGH, endless)])

    def test_never_lowered(self) -> None:
        """A higher limit, or none, stays."""
        endless = resource.RLIM_INFINITY
        for soft, hard in ((4096, 4096), (10**6, 10**9), (endless, endless)):
            self.assertEqual(self.limited(soft, hard), [])

    def test_really(self) -> None:
        """The kernel takes it."""
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
        raise_limit()
        self.assertEqual(
            resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            ENOUGH if limits[1] == resource.RLIM_INFINITY else min(ENOUGH, limits[1]),
        )


class DescriptorWatchTests(SynchronousTestCase):
    """`DescriptorWatch`"""

    def setUp(self) -> None:
        """Begin to look, a second ago."""
        self.clock = Clock()
        self.watch = DescriptorWatch(self.clock)
        self.watch.startService()
        self.addCleanup(stopped, self.watch)

    def test_logged_once(self) -> None:
        """It logs once, within a second, that none is left, with the remedy and what is open."""
        held = [os.open("/etc", os.O_RDONLY) for _ in range(100)]
        with capturedLogs() as events:
            self.clock.advance(1.0)
            with no_descriptors():
                for _ in range(3):
                    self.clock.advance(1.0)
            (event,) = events
            self.clock.advance(1.0)
            self.clock.advance(1.0)
        for fd in held:
            os.close(fd)
        text = formatEvent(event)
        self.assertEqual(event["log_level"].name, "error")
        for part in ("Too many open files", "LimitNOFILE", "open are: 100 /etc"):
            self.assertIn(part, text)
        self.assertEqual(
            [formatEvent(later) for later in events[1:]], ["files can be opened again"]
        )

    def test_no_file_on_the_node(self) -> None:
        """If the whole node can open no file, the remedy is that for the node."""

        def full() -> None:
            raise OSError(errno.ENFILE, "Too many open files in system")

        self.patch(limits, "check_descriptors", full)
        with capturedLogs() as events:
            self.clock.advance(1.0)
        self.assertIn("fs.file-max", formatEvent(events[0]))

    def test_stop(self) -> None:
        """Stopping leaves no timer."""
        self.watch.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
