"""Tests for what a scanner of rules keeps in memory."""

import gc

from twisted.trial.unittest import SynchronousTestCase

from tests.support.declarations import resources
from tests.support.trees import tree
from twistdp.scanners.declared.scanner import DeclaredScanner
from twistdp.select.device import Device


class MemoryTests(SynchronousTestCase):
    """`DeclaredScanner`"""

    def test_rescan(self) -> None:
        """A whole look frees the devices of the one before, without the garbage collector."""
        root = tree(self, "twins")
        scanner = DeclaredScanner(resources('port: {usb: "1a86:7523", as: tty}'), root)
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        counts = []
        for _ in range(3):
            scanner.discover()
            devices = (each for each in gc.get_objects() if isinstance(each, Device))
            counts.append(sum(each.host.root == root for each in devices))
        self.assertEqual(counts, [counts[0]] * 3)
