"""Tests for twistdp.scan.runner."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.scan.test_check import Watcher
from tests.scan.test_own_loop import FakeScanner
from twistdp.inotify.watches import Inotify
from twistdp.scan.discovery import Discovery
from twistdp.scan.own_loop import OwnLoop
from twistdp.scan.prepare import Preparation
from twistdp.scan.runner import scan_service


class ScanServiceTests(SynchronousTestCase):
    """Tests for `scan_service`."""

    def test_kinds(self) -> None:
        """Each kind of scanner gets the service that runs it, not yet running."""
        clock = Clock()
        kinds: list[tuple[Any, type]] = [
            (Watcher(), Discovery),
            (FakeScanner(lambda: None), OwnLoop),
        ]
        for scanner, kind in kinds:
            service = scan_service(
                scanner,
                lambda: Preparation("scanner", "a.b"),
                lambda updates: None,
                reactor=clock,
                inotify=Inotify(clock),
                scan_timeout=1.0,
            )
            self.assertIsInstance(service, kind)
            self.assertFalse(service.running)
        self.assertEqual(clock.getDelayedCalls(), [])
