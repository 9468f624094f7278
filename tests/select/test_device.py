"""Tests for `twistdp.select.device` and `twistdp.select.reading`."""

import errno
import os
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from tests.support.trees import host, named, tree
from twistdp.select.device import Device
from twistdp.select.host import Host
from twistdp.select.reading import Undecidable


class DeviceTests(SynchronousTestCase):
    """`Device`"""

    def changed(self, name: str, content: bytes) -> Device:
        """A device with an attribute ``odd``."""
        device = named(Host(tree(self, "twins")), name)
        with open(f"{device.path}/odd", "wb") as file:
            file.write(content)
        return device

    def test_facts(self) -> None:
        """Subsystem, driver, type and node are the kernel's."""
        device = named(host("twins"), "1-3.1")
        self.assertEqual(
            (device.subsystem, device.driver, device.devtype, device.node),
            ("usb", "usb", "usb_device", "/dev/bus/usb/001/003"),
        )
        self.assertEqual(device.number, (189, 2))
        self.assertEqual(device.udev_key, "c189:2")
        self.assertEqual(named(host("twins"), "1-3.1:1.0").udev_key, "+usb:1-3.1:1.0")
        self.assertEqual(named(host("camera"), "enx020000aabbcc").udev_key, "n4")
        self.assertEqual(named(host("nvme"), "nvme0n1").udev_key, "b259:0")

    def test_exclamation_mark(self) -> None:
        """The kernel's '!' in names of directories stands for '/'."""
        self.assertEqual(Device(host("twins"), "/devices/x/dsa!wq0.1").name, "dsa/wq0.1")

    def test_attributes(self) -> None:
        """White space and NULs at the ends are cut, whatever else is in there."""
        for content, value in (
            (b" 2.00\n", "2.00"),
            (b"arm,board\0", "arm,board"),
            (b"", ""),
            (b"a\nb\0c\n", "a\nb\0c"),
            (b"\xff\xfe", "\ufffd\ufffd"),
            (b"x" * 10_000, "x" * 4096),
        ):
            self.assertEqual(self.changed("1-3.1", content).attribute("odd"), value)

    def test_glob(self) -> None:
        """Where the kernel counts a directory, a glob finds the first file."""
        device = self.changed("1-3.1", b"1")
        for number in (10, 9):
            os.makedirs(f"{device.path}/hwmon/hwmon{number}")
            with open(f"{device.path}/hwmon/hwmon{number}/temp1_input", "w") as file:
                file.write(f"{number}000\n")
        self.assertEqual(device.attribute("hwmon/hwmon*/temp1_input"), "9000")
        for name in ("hwmon/hwmon*/temp2_input", "hwmon/../*dd", "*/../odd"):
            self.assertIsNone(device.attribute(name), name)

    def test_no_attribute(self) -> None:
        """What is no file below the device is no attribute."""
        device = self.changed("1-3.1", b"1")
        os.mkfifo(f"{device.path}/pipe")
        for name in ("none", "pipe", "../idVendor", "/etc/passwd", "", "a\0b", "odd/x", "."):
            self.assertIsNone(device.attribute(name), name)

    def test_links(self) -> None:
        """A link gives the name it leads to; one that leads out of sysfs leads nowhere."""
        device = self.changed("1-3.1", b"1")
        os.symlink("/etc", f"{device.path}/etc")
        os.symlink("../1-3.4", f"{device.path}/other")
        self.assertEqual(device.attribute("driver"), "usb")
        self.assertEqual(device.attribute("other/idVendor"), "1a86")
        self.assertIsNone(device.attribute("etc/passwd"))
        other = device.link("other")
        assert other is not None
        self.assertEqual(other.name, "1-3.4")
        self.assertIsNone(device.link("etc"))
        self.assertIsNone(device.link("driver"))

    def test_unreadable(self) -> None:
        """An attribute that is there and cannot be read is undecidable, and raises nothing."""
        for code in (errno.EACCES, errno.EIO, errno.ENODEV):
            device = self.changed("1-3.1", b"1")
            error = OSError(code, os.strerror(code))
            with mock.patch("twistdp.select.reading.os.read", side_effect=error):
                value = device.reading("odd")
            assert isinstance(value, Undecidable)
            self.assertIn(os.strerror(code), value.reason)
            self.assertIsNone(device.attribute("odd"))

    def test_read_once(self) -> None:
        """An attribute is read once, and only when it is asked for."""
        device = self.changed("1-3.1", b"1")
        with mock.patch("twistdp.select.device.read_entry", wraps=lambda _: "x") as read:
            device.attribute("odd")
            device.attribute("odd")
        self.assertEqual(read.call_count, 1)

    def test_properties(self) -> None:
        """Properties are udev's and the kernel's."""
        device = named(host("twins"), "ttyUSB0")
        self.assertEqual(device.property("ID_VENDOR_ID"), "1a86")
        self.assertEqual(device.property("MAJOR"), "188")
        self.assertEqual(device.property("SUBSYSTEM"), "tty")
        self.assertIsNone(device.property("ID_NONE"))
        self.assertEqual(device.tags, {"systemd"})
        device = named(host("twins", udev=False), "ttyUSB0")
        self.assertIsInstance(device.property("ID_NONE"), Undecidable)
        self.assertIsInstance(device.tags, Undecidable)
        self.assertIsNone(device.property("DEVTYPE"))

    def test_wrong_node(self) -> None:
        """A node's name never leads out of /dev."""
        names = {"../etc/passwd": None, "/dev/bus/usb/1": "/dev/bus/usb/1", "a/../b": None}
        for name, node in names.items():
            device = named(Host(tree(self, "twins")), "1-3.1")
            with open(f"{device.path}/uevent", "w", encoding="utf-8") as file:
                file.write(f"DEVNAME={name}\n")
            self.assertEqual(device.node, node)

    def test_line_breaks(self) -> None:
        """The name of an input device, which its maker chose, is no key and gives no node."""
        name = 'NAME="Hand\nPRODUCT=0/0/0/0\nMAJOR=1\nMINOR=1\nDEVNAME=mem\n"\n'
        for text, node, number in (
            (f"PRODUCT=3/1/2/3\n{name}", None, None),
            (f"MAJOR=13\nMINOR=66\nDEVNAME=input/event2\nPRODUCT=3/1/2/3\n{name}",
             "/dev/input/event2", (13, 66)),
        ):  # fmt: skip
            with mock.patch("twistdp.select.device.read_file", return_value=text):
                device = Device(Host(), "/devices/virtual/input/input7")
                self.assertEqual((device.node, device.number), (node, number))
                self.assertEqual(device.uevent["PRODUCT"], "3/1/2/3")
