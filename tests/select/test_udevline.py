"""Tests for `twistdp.select.udevline`."""

from twisted.trial.unittest import SynchronousTestCase

from tests.support.trees import host, named, tree
from twistdp.errors import BadSetting
from twistdp.select.host import Host
from twistdp.select.udevline import parse_udev


class UdevLineTests(SynchronousTestCase):
    """`parse_udev`"""

    def ok(self, line: str, name: str = "ttyUSB0", *, udev: bool = True) -> bool | None:
        """The answer for a device of the twins, which is the same with its reason."""
        device = named(host("twins", udev=udev), name)
        subject = parse_udev(line)
        outcome = subject.test(device)
        self.assertIs(subject.holds(device), outcome.ok)
        return outcome.ok

    def test_keys(self) -> None:
        """Every key that is about a device that is there."""
        for line, wanted in (
            ('SUBSYSTEM=="tty"', True),
            ('SUBSYSTEM!="tty"', False),
            ('KERNEL=="ttyUSB[0-9]"', True),
            ('KERNEL=="ttyACM*|ttyUSB*"', True),
            ('KERNEL=="ttyACM*|ttyAMA*"', False),
            ('SUBSYSTEM=="tty", ATTRS{idVendor}=="1a86", ATTRS{idProduct}=="7523"', True),
            ('SUBSYSTEMS=="usb-serial", DRIVERS=="ch341-uart"', True),
            ('ATTR{dev}=="188:0"', False),
            ('DRIVER==""', True),
            ('ENV{ID_VENDOR_ID}=="1a86"', True),
            ('ENV{NOTHING}==""', True),
            ('ENV{NOTHING}!="?*"', True),
            ('TAG=="systemd"', True),
            ('TAG!="systemd"', False),
            ('TAG=="seat"', False),
            ('DEVPATH=="/devices/pci*/ttyUSB0"', True),
            ('KERNELS=="1-3.1"', True),
            ('  SUBSYSTEM == "tty" , KERNEL=="tty*",', True),
            ('SUBSYSTEM=="tty" KERNEL=="tty*"\n    ATTRS{idVendor}=="1a86"\n', True),
            ('SUBSYSTEM=="tty"\nKERNEL=="hidraw*"', False),
            ('ATTRS{idVendor}==" 1a86 "', True),
            ('ENV{DEVNAME}=="/dev/ttyUSB?"', True),
            ('ENV{DEVNAME}=="ttyUSB0"', False),
            ('ENV{DEVLINKS}=="*/dev/serial/by-path/pci-0000:00:0d.0-usb-0:3.1:*"', True),
        ):
            self.assertIs(self.ok(line), wanted, line)

    def test_one_ancestor(self) -> None:
        """Plural keys hold for one and the same device, not one here and one there."""
        self.assertIs(self.ok('ATTRS{idVendor}=="1a86", DRIVERS=="usb"'), True)
        # The interface has the number, the device above it the vendor.
        self.assertIs(self.ok('ATTRS{idVendor}=="1a86", ATTRS{bInterfaceNumber}=="00"'), False)
        outcome = parse_udev('ATTRS{idVendor}=="1a86", KERNELS=="usb1"').test(
            named(host("twins"), "ttyUSB0")
        )
        self.assertIn("no single device from ttyUSB0 upwards meets", outcome.reason)

    def test_nearest(self) -> None:
        """The reason names the device with another value, not one without the attribute."""
        for line, wanted in (
            ('ATTRS{idVendor}=="10c4"', 'ATTRS{idVendor}=="10c4" fails for 1-3.1: it is "1a86"'),
            ('ATTRS{idVendor}=="1a86", ATTRS{serial}=="1"', "1-3.1 has no attribute serial"),
        ):
            reason = parse_udev(line).test(named(host("twins"), "ttyUSB0")).reason
            self.assertIn(f"the nearest: {wanted}", reason)

    def test_missing_attribute(self) -> None:
        """As in udev, an attribute that is not there is neither equal nor unequal."""
        self.assertIs(self.ok('ATTR{none}=="1"'), False)
        self.assertIs(self.ok('ATTR{none}!="1"'), False)

    def test_without_udev(self) -> None:
        """Properties and tags are undecidable without udev's data base."""
        for line in ('ENV{ID_VENDOR_ID}=="1a86"', 'TAG=="systemd"', 'TAGS=="seat"'):
            self.assertIsNone(self.ok(line, udev=False), line)
        self.assertIs(self.ok('ENV{ID_VENDOR_ID}=="1", SUBSYSTEM=="usb"', udev=False), False)
        self.assertIs(self.ok('ENV{MAJOR}=="188"', udev=False), True)

    def test_former_tags(self) -> None:
        """A tag that a later event took away is none of the device's any more."""
        root = tree(self, "twins")
        device = named(Host(root), "ttyUSB0")
        with open(f"{root}/run/udev/data/{device.udev_key}", "w", encoding="ascii") as file:
            file.write("G:systemd\nG:uaccess\nQ:systemd\nV:1\n")
        for tag, wanted in (("systemd", True), ("uaccess", False)):
            self.assertIs(parse_udev(f'TAG=="{tag}"').test(device).ok, wanted)

    def test_refused(self) -> None:
        """What is no condition on a device is refused with the reason."""
        for line, reason in (
            ("", "it has no condition"),
            ('KERNEL="x"', "= assigns"),
            ('ATTRS{../idVendor}=="1a86"', "ATTRS looks at the devices above too"),
            ('ATTR{[dmi/id]sys_vendor}=="x"', "write the attribute of the device itself"),
            ('ATTR{/sys/x}=="1"', "not below the device's directory"),
            ('SYMLINK+="x"', "+= assigns"),
            ('KERNEL=="x", MODE:="0660"', ":= assigns"),
            ('ACTION=="add"', "it is about events"),
            ('PROGRAM=="/bin/sh"', "no program is run"),
            ('IMPORT{program}=="x"', "nothing is imported"),
            ('TEST{0660}=="x"', "no files are tested"),
            ('NAME=="eth0"', "write KERNEL"),
            ('SYMLINK=="x"', "write path:"),
            ('VENDOR=="x"', "no such condition"),
            ('ATTRS=="x"', "needs a name in braces"),
            ('KERNEL{x}=="x"', "takes no name in braces"),
            ('KERNEL==e"x"', "the prefix e is not supported; write characters as they are"),
            ('KERNEL==ie"x"', "write [Aa] for a letter in both cases and characters as they are"),
            ('KERNEL==q"x"', "the prefix q is not supported; write it without"),
            ('KERNEL=="x"SUBSYSTEM=="y"', "a comma is missing"),
            ('KERNEL=="x', "write conditions as"),
            ("KERNEL==x", "write conditions as"),
        ):
            error = self.assertRaises(BadSetting, parse_udev, line)
            self.assertIn(reason, str(error), line)

    def test_subsystems(self) -> None:
        """A line says which subsystems its devices can have, if it does."""
        for line, wanted in (
            ('SUBSYSTEM=="tty|usb"', ("tty", "usb")),
            ('SUBSYSTEM=="t*"', ()),
            ('SUBSYSTEM!="tty"', ()),
            ('SUBSYSTEMS=="usb"', ()),
        ):
            self.assertEqual(parse_udev(line).subsystems, wanted)
