"""Tests for `twistdp.select.kinds` and `twistdp.select.groups`."""

from twisted.trial.unittest import SynchronousTestCase

from tests.support.trees import host, named
from twistdp.errors import BadSetting
from twistdp.select.groups import (
    card,
    group_of,
    iommu_group,
    is_bridge,
    members,
    nodes_below,
    unready,
)
from twistdp.select.kinds import functions, is_keyboard, judged
from twistdp.select.reading import Undecidable


class KindTests(SynchronousTestCase):
    """`functions`"""

    def names(self, tree: str, name: str, kind: str, *, udev: bool = True) -> list[str]:
        """The names of the function nodes of a device."""
        return [each.name for each in functions(named(host(tree, udev=udev), name), kind)]

    def test_below(self) -> None:
        """A kind gives the nodes below the matched device, or the device itself."""
        for tree, name, kind, wanted in (
            ("twins", "1-3.1", "tty", ["ttyUSB0"]),
            ("twins", "1-3.1:1.0", "tty", ["ttyUSB0"]),
            ("twins", "1-3", "tty", []),
            ("twins", "0000:00:0d.0", "tty", []),
            ("twins", "ttyUSB0", "tty", ["ttyUSB0"]),
            ("twins", "ttyUSB0", "usb", ["1-3.1"]),
            ("camera", "1-5", "sound", ["controlC1", "pcmC1D0c"]),
            ("camera", "1-6", "hid", ["hidraw0"]),
            ("camera", "1-6", "input", ["event3"]),
            ("camera", "2-5", "net", ["enx020000aabbcc"]),
            ("cards", "0000:00:1c.1", "pci", ["0000:00:1c.1"]),
            ("camera", "2-5", "pci", ["0000:00:0d.0"]),
            ("cards", "0000:00:02.0", "drm", ["card1", "renderD128"]),
            ("cards", "0000:01:00.0", "vfio", ["2"]),
            ("cards", "0000:00:02.0", "vfio", []),
            ("cards", "0000:00:02.0", "usb", []),
        ):
            self.assertEqual(self.names(tree, name, kind), wanted, (name, kind))

    def test_unknown(self) -> None:
        """An unknown kind is refused with those that there are."""
        device = named(host("twins"), "1-3.1")
        error = self.assertRaises(BadSetting, functions, device, "serial")
        self.assertIn("use one of usb, tty, video", str(error))

    def test_metadata(self) -> None:
        """Nodes for metadata are left out, with the reason, also without udev."""
        for udev in (True, False):
            self.assertEqual(self.names("camera", "1-5", "video", udev=udev), ["video2"])
            outcomes = judged(named(host("camera", udev=udev), "1-5"), "video")
            reason = "video3 is a metadata node"
            self.assertIn(reason, [outcome.reason for _, outcome in outcomes][1])

    def test_multipath(self) -> None:
        """A disk with two ways to it is found from both controllers, and its ways are not."""
        for name in ("0000:02:00.0", "nvme1"):
            self.assertEqual(self.names("nvme", name, "block"), ["nvme0n1"])
        self.assertEqual(self.names("nvme", "0000:02:00.0", "nvme"), ["nvme0"])
        self.assertEqual(self.names("nvme", "nvme0n1p1", "block"), [])

    def test_keyboards(self) -> None:
        """What somebody types can be read from keyboards: they are known as such."""
        for name in ("hidraw0", "event3"):
            self.assertIs(is_keyboard(named(host("camera"), name)), True)
            self.assertIs(is_keyboard(named(host("camera", udev=False), name)), True)
        self.assertIs(is_keyboard(named(host("camera"), "video2")), False)
        self.assertNotIsInstance(is_keyboard(named(host("camera"), "video2")), Undecidable)


class GroupTests(SynchronousTestCase):
    """`group_of` and the others"""

    def test_parent(self) -> None:
        """All nodes of a camera have the USB device in common."""
        subject = host("camera")
        camera = named(subject, "1-5")
        for name in ("video2", "video3", "controlC1", "1-5:1.2", "1-5"):
            self.assertIs(group_of(named(subject, name), "parent"), camera)
        self.assertEqual(
            [each.name for each in nodes_below(camera)],
            ["1-5", "video2", "video3", "controlC1", "pcmC1D0c"],
        )
        names = [each.name for each in members(named(subject, "video2"), "sound")]
        self.assertEqual(names, ["controlC1", "pcmC1D0c"])

    def test_buses(self) -> None:
        """The USB device and the PCI function are the device's own or nobody's."""
        subject = host("camera")
        pci = named(subject, "0000:00:0d.0")
        self.assertIs(group_of(named(subject, "video2"), "pci"), pci)
        self.assertIsNone(group_of(pci, "usb"))
        error = self.assertRaises(BadSetting, group_of, pci, "card2")
        self.assertIn("use parent, usb, pci, iommu or card", str(error))

    def test_card(self) -> None:
        """Card and render node are of one card."""
        subject = host("cards")
        graphics = named(subject, "0000:00:02.0")
        for name in ("card1", "renderD128", "card1-DP-1", "0000:00:02.0"):
            self.assertIs(card(named(subject, name)), graphics)
        self.assertIsNone(card(named(subject, "kvm")))

    def test_iommu(self) -> None:
        """A group has all its functions; bridges do not keep it from being given away."""
        subject = host("cards")
        group = iommu_group(named(subject, "0000:01:00.0"))
        assert group is not None
        self.assertEqual(group[0], 2)
        self.assertEqual(
            [each.name for each in group[1]], ["0000:00:01.0", "0000:01:00.0", "0000:01:00.1"]
        )
        self.assertTrue(is_bridge(group[1][0]))
        bad = [each.name for each in unready(named(subject, "0000:01:00.0"))]
        self.assertEqual(bad, ["0000:01:00.1"])
        self.assertEqual(unready(named(subject, "0000:00:1c.1")), [])
        self.assertIsNone(iommu_group(named(subject, "kvm")))
