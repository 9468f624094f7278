"""Tests for twistdp.resource.alignment."""

import os
import shutil
import tempfile

from tests.support.logs import LogTestCase
from tests.support.updates import Scans, first
from twistdp.model.devices import HEALTHY, DeviceInfo, Devices
from twistdp.resource.alignment import Alignment
from twistdp.resource.inventory import Inventory

RESOURCE = "color.example.com/yellow"


def placed(**nodes: list[int] | None) -> Devices:
    """Devices by id, on these NUMA nodes."""
    return {id_: DeviceInfo(HEALTHY, topology=numa) for id_, numa in nodes.items()}


class AlignmentTests(LogTestCase):
    """Devices on a machine with the NUMA nodes 0 and 1."""

    def setUp(self) -> None:
        """Make its sysfs."""
        super().setUp()
        sysfs = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, sysfs)
        for node in (0, 1):
            os.makedirs(f"{sysfs}/devices/system/node/node{node}")
        self.scans = Scans()
        self.inventory = Inventory(RESOURCE, first({}))
        self.alignment = Alignment(RESOURCE, self.inventory, sysfs)

    def found(self, **nodes: list[int] | None) -> None:
        """A scan has found these."""
        self.inventory.update(self.scans.update(placed(**nodes)))
        self.alignment.look()

    def test_all_or_none(self) -> None:
        """Devices that all have nodes, or none of them, are no matter."""
        for devices in ({}, {"a": [0], "b": [1, 0]}, {"a": None, "b": None}, {"c": [1]}):
            self.found(**devices)
        self.assertEqual(self.lines, [])

    def test_mixed(self) -> None:
        """A mixture is reported with an example of each kind, once, whatever comes later."""
        self.found(a=[0], b=[1])
        self.found(a=[0], b=[1], c=None, d=None)
        self.assertIn(
            f"{RESOURCE}: 2 of 4 devices have no NUMA node, such as c, and others have one, "
            "such as a: ",
            self.said(),
        )
        self.assertEqual(self.only()["severity"], "W")
        self.found(a=[0])
        self.found(a=[0], e=None)
        self.only()

    def test_absent(self) -> None:
        """So is a node that the machine lacks."""
        self.found(a=[0])
        self.found(a=[0], far=[1, 7])
        self.assertIn(
            f"{RESOURCE}: far is on NUMA node 7, which this machine does not have: ", self.said()
        )
        self.found(a=[0], far=[1, 7], farther=[8])
        self.only()

    def test_counts_follow(self) -> None:
        """Devices that are gone or have moved no longer count."""
        self.found(a=[0], b=[1], c=[0])
        self.found(b=None, c=None)
        self.assertEqual((self.inventory.placed, dict(self.inventory.nodes)), (0, {}))
        self.found(b=[0], c=[1])
        self.assertEqual((self.inventory.placed, dict(self.inventory.nodes)), (2, {0: 1, 1: 1}))
        self.assertEqual(self.lines, [])
