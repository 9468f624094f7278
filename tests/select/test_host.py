"""Tests for `twistdp.select.host`, `nodes`, `walk` and `udev`."""

import os
import shutil
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from tests.support.trees import host, named, tree
from twistdp.errors import BadSetting
from twistdp.select import nodes, udev
from twistdp.select.host import Host
from twistdp.select.walk import Walk

BY_PATH = "/dev/serial/by-path/pci-0000:00:0d.0"
BY_ID = "/dev/serial/by-id/usb-1a86_USB2.0-Serial-if00-port0"


class HostTests(SynchronousTestCase):
    """`Host`"""

    def test_devices(self) -> None:
        """Devices are in natural order, parents first, each once."""
        paths = [device.syspath for device in host("camera").devices()]
        self.assertEqual(len(paths), len(set(paths)))
        seen: set[str] = set()
        for device in host("camera").devices():
            if device.parent is not None:
                self.assertIn(device.parent.syspath, seen)
            seen.add(device.syspath)
        names = [device.name for device in host("twins").devices()]
        self.assertLess(names.index("1-3.1"), names.index("1-3.4"))

    def test_directory_of_others(self) -> None:
        """A directory in which others may make entries is left out, until only we may."""
        root = tree(self, "twins")
        for name in ("dev/ours", "dev/ours/theirs"):
            os.mkdir(f"{root}/{name}")
            os.symlink("/dev/ttyUSB0", f"{root}/{name}/link")
        os.symlink("theirs/link", f"{root}/dev/ours/through")
        every = [f"/dev/ours/{name}" for name in ("link", "theirs/link", "through")]
        for mode in (0o777, 0o1777):
            os.chmod(f"{root}/dev/ours/theirs", mode)
            subject = Host(root, check_paths=True)
            self.assertEqual(subject.nodes("/dev/ours/**"), every[:1])
            self.assertNotIn(every[1], subject.all_links_to("/dev/ttyUSB0"))
            self.assertEqual(subject.list_again(every[1]), {})
            (text,) = subject.left_out
            self.assertIn("left out /dev/ours/theirs, since others could", text)
            self.assertIn(f"chmod go-w {root}/dev/ours/theirs", text)
            self.assertEqual(Host(root).nodes("/dev/ours/**"), every)
        os.chmod(f"{root}/dev/ours/theirs", 0o755)
        subject.list_again("/dev/ours/theirs")
        self.assertEqual(subject.nodes("/dev/ours/**"), every)
        self.assertEqual(subject.left_out, [])

    def test_one_text(self) -> None:
        """A node's path is one object wherever it is kept, also by the next scan."""
        subject, later = host("twins"), host("twins")
        listed = subject.nodes("/dev/ttyUSB*")[0]
        (device,) = (each for each in subject.devices() if each.node == listed)
        self.assertIs(device.node, listed)
        self.assertIs(later.nodes("/dev/ttyUSB*")[0], listed)

    def test_one_object(self) -> None:
        """A device is the same object whatever way leads to it."""
        subject = host("twins")
        device = named(subject, "ttyUSB0")
        self.assertIs(subject.of_node("/dev/ttyUSB0"), device)
        self.assertIs(subject.of_node(f"{BY_PATH}-usb-0:3.1:1.0-port0"), device)
        self.assertIs(subject.device(device.syspath), device)
        assert device.parent is not None
        self.assertIn(device, device.parent.children)

    def test_parent_without_walk(self) -> None:
        """The parent is found through directories that are no devices."""
        subject = host("twins")
        device = Host(subject.root).device(named(subject, "ttyUSB0").syspath)
        assert device is not None
        names = [each.name for each in device.ancestors]
        self.assertEqual(names, ["ttyUSB0", "1-3.1:1.0", "1-3.1", "1-3", "usb1", "0000:00:0d.0"])

    def test_outside(self) -> None:
        """A path outside of /devices is no device, and links are not followed."""
        subject = Host(tree(self, "twins"))
        os.symlink("pci0000:00", f"{subject.prefix}/sys/devices/link")
        for path in ("/class/tty/ttyUSB0", "/devices/../class", "/devices/link/0000:00:0d.0", "/x"):
            self.assertIsNone(subject.device(path))
        self.assertNotIn("link", [device.name for device in subject.devices()])

    def test_nodes(self) -> None:
        """Nodes are found by globs, links included; a directory is all nodes in it."""
        subject = host("twins")
        self.assertEqual(subject.nodes("/dev/ttyUSB*"), ["/dev/ttyUSB0", "/dev/ttyUSB1"])
        self.assertEqual(len(subject.nodes("/dev/serial/by-path/*")), 4)
        self.assertEqual(subject.nodes("/dev/serial"), [])
        self.assertEqual(len(subject.nodes("/dev/bus/usb")), 4)
        self.assertEqual(subject.nodes("/dev/bus/usb/*/003"), ["/dev/bus/usb/001/003"])
        self.assertEqual(subject.nodes("/dev/bus/*"), [])
        self.assertEqual(len(subject.nodes("/dev/bus/**")), 4)
        self.assertEqual(subject.nodes("/dev/tty[!A-Z]*"), [])
        self.assertEqual(subject.nodes("/etc/*"), [])
        self.assertRaises(BadSetting, subject.nodes, "ttyUSB*")

    def test_links(self) -> None:
        """A link that two devices claim belongs to none, whichever it leads to."""
        subject = host("twins")
        self.assertEqual(subject.resolve(BY_ID), "/dev/ttyUSB0")
        self.assertEqual(
            subject.links_to("/dev/ttyUSB0"),
            (f"{BY_PATH}-usb-0:3.1:1.0-port0", f"{BY_PATH}-usbv2-0:3.1:1.0-port0"),
        )
        self.assertIn(BY_ID, subject.all_links_to("/dev/ttyUSB0"))

    def test_links_without_udev(self) -> None:
        """Without udev's data base only links that name a place are trusted."""
        subject = host("camera", udev=False)
        self.assertFalse(subject.has_udev)
        self.assertEqual(
            subject.links_to("/dev/video2"),
            tuple(
                f"/dev/v4l/by-path/pci-0000:00:0d.0-{usb}-0:5:1.0-video-index0"
                for usb in ("usb", "usbv2")
            ),
        )

    def test_link_moved(self) -> None:
        """A link that leads elsewhere now is not this node's, whatever udev knew."""
        subject = Host(tree(self, "camera"))
        link = "/dev/v4l/by-id/usb-Sonar_Lab_Camera_LC4400217-video-index0"
        os.unlink(subject.prefix + link)
        os.symlink("../../video3", subject.prefix + link)
        self.assertNotIn(link, subject.links_to("/dev/video2"))
        self.assertNotIn(link, subject.links_to("/dev/video3"))

    def test_loops(self) -> None:
        """Links that turn in a circle, lead out of /dev or to nothing are no nodes."""
        subject = Host(tree(self, "twins"))
        for name, target in (
            ("a", "b"), ("b", "a"), ("out", "../etc/passwd"), ("etc", "/etc/passwd"), ("gone", "x"),
            ("absolute", "/dev/ttyUSB0"),
        ):  # fmt: skip
            os.symlink(target, f"{subject.prefix}/dev/{name}")
        for name in ("a", "b", "out", "etc", "gone"):
            self.assertIsNone(subject.resolve(f"/dev/{name}"), name)
            self.assertEqual(subject.nodes(f"/dev/{name}"), [])
        self.assertEqual(subject.resolve("/dev/absolute"), "/dev/ttyUSB0")

    def test_bare(self) -> None:
        """A node that sysfs does not know is a device without attributes."""
        subject = Host(tree(self, "twins"))
        with open(f"{subject.prefix}/dev/odd", "w", encoding="ascii"):
            pass
        self.assertIsNone(subject.of_node("/dev/odd"))
        device = subject.bare("/dev/odd")
        assert device is not None
        self.assertEqual((device.name, device.node), ("odd", "/dev/odd"))
        self.assertEqual((device.subsystem, device.driver, device.parent), ("", None, None))
        self.assertEqual((device.children, device.attribute("x")), ((), None))
        self.assertIsNone(subject.bare("/dev/none"))

    def test_vanishing(self) -> None:
        """A sysfs that goes away while it is read has nothing, and raises nothing."""
        subject = Host(tree(self, "twins"))
        devices = subject.devices()
        first = next(devices)
        shutil.rmtree(f"{subject.prefix}/sys")
        shutil.rmtree(f"{subject.prefix}/run")
        for device in (first, *devices):
            self.assertEqual((device.uevent, device.attribute("serial")), ({}, None))
            self.assertIsNone(device.link("physfn"))
        self.assertEqual(list(Host(subject.root).devices()), [])

    def test_no_host(self) -> None:
        """A root without anything is a host without devices."""
        subject = Host(temporary_directory(self))
        self.assertEqual(list(subject.devices()), [])
        self.assertEqual(subject.nodes("/dev/*"), [])
        self.assertIsNone(subject.of_node("/dev/null"))

    def test_bounds(self) -> None:
        """However much there is, so much is looked at."""
        subject = Host(tree(self, "twins"))
        deep = "/".join(["d"] * 60)
        os.makedirs(f"{subject.prefix}/sys/devices/{deep}/x")
        os.makedirs(f"{subject.prefix}/dev/{deep}")
        with mock.patch.object(nodes, "_MOST", 3), mock.patch.object(udev, "_MOST", 1):
            self.assertLessEqual(len(subject.nodes("/dev/**")), 4)
            self.assertLessEqual(len(subject.udev.claims), 3)
        self.assertEqual(len(list(subject.devices())), len(list(host("twins").devices())))

    def test_system_left_out(self) -> None:
        """Processors and memory are not walked through."""
        subject = Host(tree(self, "twins"))
        os.makedirs(f"{subject.prefix}/sys/devices/system/cpu/cpu0")
        with open(f"{subject.prefix}/sys/devices/system/cpu/cpu0/uevent", "w", encoding="ascii"):
            pass
        self.assertNotIn("cpu0", [device.name for device in subject.devices()])
        self.assertIsNotNone(subject.device("/devices/system/cpu/cpu0"))

    def test_listed_once(self) -> None:
        """No directory of sysfs is listed twice in a walk."""
        with mock.patch("twistdp.select.walk.os.scandir", wraps=os.scandir) as scandir:
            list(Host(host("camera").root).devices())
        listed = [call.args[0] for call in scandir.call_args_list]
        self.assertEqual(len(listed), len(set(listed)))
        self.assertEqual(Walk("/nowhere").below("/devices"), [])

    def test_this_machine(self) -> None:
        """The real /sys and /dev: a node leads to its device by its number."""
        subject = Host()
        device = subject.of_node("/dev/null")
        assert device is not None
        self.assertEqual((device.subsystem, device.node), ("mem", "/dev/null"))
        self.assertIn("/dev/null", subject.nodes("/dev/nul*"))
        self.assertEqual(subject.nodes("/dev/fd/0"), [])


class TableTests(SynchronousTestCase):
    """`Table`"""

    def test_once(self) -> None:
        """A device counts once, and again after it was removed."""
        found = Host(tree(self, "twins"))
        device = named(found, "1-3.1")
        count = len(found.by_subsystem["usb"])
        self.assertFalse(found.table.add(device))
        self.assertEqual(len(found.by_subsystem["usb"]), count)
        self.assertTrue(found.table.remove(device))
        self.assertEqual(len(found.by_subsystem["usb"]), count - 1)
        self.assertTrue(found.table.add(device))
        self.assertEqual(len(found.by_subsystem["usb"]), count)
