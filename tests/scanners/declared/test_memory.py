"""Tests for what a scanner of rules keeps in memory."""

import gc
import os

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

    def test_same_values(self) -> None:
        """A device that is as it was is the very same value after another whole look."""
        scanner = DeclaredScanner(
            resources('port: {usb: "1a86:7523", as: tty}'), tree(self, "twins")
        )
        first = dict(scanner.discover()["port"])
        second = scanner.discover()["port"]
        self.assertEqual(len(second), 2)
        for id_, info in second.items():
            self.assertIs(info, first[id_])

    def test_numbered(self) -> None:
        """The variables of a device that is gone are forgotten."""
        root = tree(self, "twins")
        text = 'port: {path: /dev/ttyUSB*, env: {"PORT{n}": "{node}"}}'
        scanner = DeclaredScanner(resources(text), root)
        scanner.discover()
        self.assertEqual(len(scanner.survey.ledger.numbered), 2)
        os.unlink(os.path.join(root, "dev/ttyUSB0"))
        scanner.discover()
        self.assertEqual(len(scanner.survey.ledger.numbered), 1)

    def test_left_out_once(self) -> None:
        """What a device does not give is noted once, however often its unit is made again."""
        root = tree(self, "camera")
        text = 'cam: {usb: "0c45:*", as: video, members: [{path: /dev/absent, optional: true}]}'
        scanner = DeclaredScanner(resources(text), root)
        scanner.discover()
        (selection,) = scanner.survey.selections
        counts = []
        for _ in range(3):
            counts.append(sum(map(len, selection.dropped.values())))
            scanner.follow([os.path.join(root, "dev/hidraw0")])
        self.assertEqual(counts, [1, 1, 1])
