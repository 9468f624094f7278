"""Tests for `twistdp.host.numa`."""

from typing import Any

from tests.scan.test_prepare import PreparingTestCase, device


class NumaNodesTests(PreparingTestCase):
    """`NumaNodes`"""

    def test_looked_up_ahead(self) -> None:
        """What was looked up ahead is not looked up again, and all else is."""
        one, other = device("a"), device("b")
        self.numa.look_ahead([one])
        self.assertEqual(self.looked_up, ["/dev/a"])
        self.assertEqual(self.numa.of([one, other]), [(3,), (3,)])
        self.assertEqual(self.looked_up, ["/dev/a", "/dev/b"])

    def test_some_first(self) -> None:
        """What was looked up ahead and is asked for later is not forgotten meanwhile."""
        one, other = device("a"), device("b")
        self.numa.look_ahead([one, other])
        self.numa.of([one])
        self.numa.of([other])
        self.assertEqual(self.looked_up, ["/dev/a", "/dev/b"])

    def test_absent(self) -> None:
        """It tells which of some nodes this machine lacks."""
        self.assertEqual(self.numa.absent([1, 3, 5]), {1, 5})

    def test_once(self) -> None:
        """It is used once: later it may be another."""
        one = device("a")
        self.numa.look_ahead([one])
        for _ in range(2):
            self.numa.of([one])
        self.assertEqual(self.looked_up, ["/dev/a", "/dev/a"])

    def test_no_need(self) -> None:
        """Of what has a topology, nothing is looked up ahead."""
        self.numa.look_ahead([device("a", topology=[1]), device("b", topology=None)])
        self.assertEqual(self.looked_up, [])

    def test_bad_devices(self) -> None:
        """What is no device keeps nobody from the others."""
        bad: Any = [5, None]
        self.numa.look_ahead([*bad, device("a")])
        self.assertEqual(self.looked_up, ["/dev/a"])

    def test_exhausted(self) -> None:
        """Want of descriptors is not an unknown node: it is tried again, and told then."""
        one = device("a")
        self.exhausted = True
        self.numa.look_ahead([one])
        self.assertRaises(OSError, self.numa.of, [one])
        self.exhausted = False
        self.assertEqual(self.numa.of([one]), [(3,)])
