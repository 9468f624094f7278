"""Tests for twistdp.host.descriptors."""

import errno
import os
import resource

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import no_descriptors, stopped
from twistdp.host import descriptors
from twistdp.host.descriptors import ENOUGH, DescriptorWatch, Reserve, holders, raise_limit
from twistdp.host.exhaustion import check_descriptors


class ReserveTests(SynchronousTestCase):
    """`Reserve`"""

    def setUp(self) -> None:
        """Have one, given back after the test."""
        self.reserve = Reserve()
        self.reserve.take()
        self.addCleanup(self.reserve.release)

    def test_spent(self) -> None:
        """A process that can open nothing can open one file while the reserve is spent."""
        with no_descriptors():
            self.assertRaises(OSError, check_descriptors)
            with self.reserve.spent():
                check_descriptors()
            self.assertRaises(OSError, check_descriptors)
            with self.reserve.spent():
                check_descriptors()

    def test_taken_once(self) -> None:
        """It is one descriptor, however often it is taken, and none before and after."""
        reserve = Reserve()
        before = len(os.listdir("/proc/self/fd"))
        with reserve.spent():
            pass
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        reserve.take()
        reserve.take()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before + 1)
        reserve.release()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class LimitTests(SynchronousTestCase):
    """`raise_limit`"""

    def limited(self, soft: int, hard: int) -> list[tuple[int, int]]:
        """What is set where these are the limits."""
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
        """What is more, or all, stays."""
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

    def test_said_once(self) -> None:
        """That none is left is said within a second, once, with the remedy and who holds them."""
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
        """When it is the whole node that can open no file, that is said."""

        def full() -> None:
            raise OSError(errno.ENFILE, "Too many open files in system")

        self.patch(descriptors, "check_descriptors", full)
        with capturedLogs() as events:
            self.clock.advance(1.0)
        self.assertIn("fs.file-max", formatEvent(events[0]))

    def test_stop(self) -> None:
        """Stopping leaves no timer and no descriptor."""
        before = len(os.listdir("/proc/self/fd"))
        self.watch.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(os.listdir("/proc/self/fd")), before - 1)

    def test_holders_not_known(self) -> None:
        """Where they cannot be listed, they are not known."""
        with no_descriptors():
            self.assertEqual(holders(), "not known")
