"""Tests for `twistdp.status.systemd`, with a service manager's socket of their own."""

import os
import socket

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import stopped, temporary_directory
from twistdp.status.condition import Condition, ResourceCondition, Standing
from twistdp.status.systemd import CALM, READY_AT_THE_LATEST, Reporter, reporter_from, send


class ReporterTests(SynchronousTestCase):
    """`Reporter`, on a clock."""

    def setUp(self) -> None:
        """A manager's socket, and a process that is scanning."""
        self.address = os.path.join(temporary_directory(self), "send")
        self.manager = self.listener(self.address)
        self.clock = Clock()
        self.conditions = [Condition("/p", False)]

    def listener(self, address: str) -> socket.socket:
        """A socket that waits for nothing."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(listener.close)
        listener.bind(address)
        listener.setblocking(False)
        return listener

    def begin(self, watchdog: float | None = None) -> Reporter:
        """A reporter that runs."""
        reporter = Reporter(
            self.address, lambda: self.conditions, watchdog=watchdog, reactor=self.clock
        )
        reporter.startService()
        self.addCleanup(stopped, reporter)
        return reporter

    def becomes(self, standing: Standing) -> None:
        """There is one resource, which stands so."""
        self.conditions = [Condition("/p", True, (ResourceCondition(1, standing),))]

    def heard(self, seconds: float = 0.0) -> list[str]:
        """Return what the manager gets in this time, in steps of a tenth of a second."""
        lines: list[str] = []
        for _ in range(round(seconds * 10) or 1):
            self.clock.advance(0.1 if seconds else 0.0)
            try:
                while True:
                    lines += self.manager.recv(4096).decode().split("\n")
            except BlockingIOError:
                pass
        return lines

    def test_life(self) -> None:
        """Ready when what was found has been tried, then each change of the status, and the end."""
        reporter = self.begin()
        self.assertEqual(self.heard(), ["STATUS=scanning"])
        self.becomes(Standing.WAITING)
        waiting = "STATUS=1 resource, 1 device, waiting for a kubelet in /p"
        self.assertEqual(self.heard(0.1), ["READY=1", waiting])
        self.becomes(Standing.REGISTERED)
        self.assertEqual(self.heard(CALM), ["STATUS=1 resource, 1 device, registered"])
        self.assertEqual(self.heard(60), [])
        reporter.stopService()
        self.assertEqual(self.heard(), ["STOPPING=1", "STATUS=stopping"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_hanging_scan(self) -> None:
        """A scan that hangs does not keep others waiting."""
        self.begin()
        self.assertEqual(self.heard(READY_AT_THE_LATEST - 0.5), ["STATUS=scanning"])
        self.assertEqual(self.heard(1), ["READY=1"])

    def test_watchdog(self) -> None:
        """In each half of the time there is a sign of life, without a kubelet too."""
        self.becomes(Standing.WAITING)
        self.begin(watchdog=10.0)
        self.heard()
        for _ in range(5):
            self.assertEqual(self.heard(5), ["WATCHDOG=1"])

    def test_short_watchdog(self) -> None:
        """Also when half of the time is less than the usual distance of looks."""
        self.becomes(Standing.REGISTERED)
        self.begin(watchdog=0.8)
        self.heard()
        self.assertGreaterEqual(self.heard(4).count("WATCHDOG=1"), 10)

    def test_unsound(self) -> None:
        """A session that does nothing any more ends the signs of life, with a word in the log."""
        self.becomes(Standing.STUCK)
        self.begin(watchdog=10.0)
        self.assertNotIn("WATCHDOG=1", self.heard(20))
        self.becomes(Standing.REGISTERED)
        self.assertIn("WATCHDOG=1", self.heard(2))

    def test_trouble(self) -> None:
        """A failed look does not end the looks, nor count as a sign of life."""
        self.becomes(Standing.REGISTERED)
        self.begin(watchdog=10.0)
        self.heard()
        conditions, self.conditions = self.conditions, None  # type: ignore[assignment]
        self.assertEqual(self.heard(10), [])
        self.assertTrue(self.flushLoggedErrors(TypeError))
        self.conditions = conditions
        self.assertEqual(self.heard(2)[0], "WATCHDOG=1")

    def test_manager_that_does_not_listen(self) -> None:
        """A report that could not be sent is sent as soon as possible."""
        self.becomes(Standing.REGISTERED)
        self.manager.close()
        os.unlink(self.address)
        self.begin()
        self.clock.advance(5)
        self.manager = self.listener(self.address)
        self.assertIn("READY=1", self.heard(CALM))

    def test_full_socket(self) -> None:
        """A manager that does not read is not waited for."""
        with self.assertRaises(BlockingIOError):
            while True:
                send(self.address, "X=1")

    def test_abstract(self) -> None:
        """An address with ``@`` is an abstract name."""
        name = f"twistdp-{os.getpid()}-{id(self)}"
        listener = self.listener(f"\0{name}")
        send(f"@{name}", "READY=1", "STATUS=x")
        self.assertEqual(listener.recv(99), b"READY=1\nSTATUS=x")


class EnvironmentTests(SynchronousTestCase):
    """`reporter_from`"""

    def half(self, **environ: str) -> float | None:
        """Half of the watchdog's time; nothing is left in the environment."""
        environ = {"NOTIFY_SOCKET": "/x", **environ}
        reporter = reporter_from(environ, list, Clock())
        self.assertEqual(environ, {})
        return reporter._half

    def test_watchdog(self) -> None:
        """There is one if the manager says so, and means this process."""
        self.assertIsNone(self.half())
        self.assertEqual(self.half(WATCHDOG_USEC="3000000"), 1.5)
        own, other = str(os.getpid()), str(os.getppid())
        self.assertEqual(self.half(WATCHDOG_USEC="3000000", WATCHDOG_PID=own), 1.5)
        self.assertIsNone(self.half(WATCHDOG_USEC="3000000", WATCHDOG_PID=other))
        for odd in ("0", "", "soon", "-1"):
            self.assertIsNone(self.half(WATCHDOG_USEC=odd), odd)
