"""Tests for `twistdp.select.match`."""

import os
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.support.trees import host, named, tree
from twistdp.errors import BadSetting
from twistdp.select.host import Host
from twistdp.select.match import Match
from twistdp.select.outcome import Outcome

SOME = (
    Match(subsystem="tty"),
    Match(usb="1a86:*"),
    Match(kernel_name="tty*"),
    Match(property={"ID_VENDOR_ID": "1a86"}),
    Match(attribute={"port_number": "0"}),
    Match(parent=Match(usb="1a86:7523")),
)


class MatchTests(SynchronousTestCase):
    """`Match`"""

    def taken(self, name: str, match: Match, *, udev: bool = True) -> list[str]:
        """The names of the devices of a tree that a match takes."""
        devices = match.candidates(host(name, udev=udev))
        return [device.name for device in devices if match.test(device).ok]

    def outcome(self, where: str, name: str, *, udev: bool = True, **keys: Any) -> Outcome:
        """What a match says of one device."""
        return Match(**keys).test(named(host(where, udev=udev), name))

    def test_keys_together(self) -> None:
        """Keys are conditions, texts of one key are alternatives, and texts are globs."""
        self.assertEqual(self.taken("twins", Match(subsystem="tty")), ["ttyUSB0", "ttyUSB1"])
        self.assertEqual(
            self.taken("twins", Match(subsystem="tty", kernel_name=["*1", "*7"])), ["ttyUSB1"]
        )
        self.assertEqual(
            self.taken("twins", Match(subsystem="tty", kernel_name="/[0]$/")), ["ttyUSB0"]
        )
        self.assertEqual(self.taken("twins", Match(subsystem="tty", driver="other")), [])

    def test_bus(self) -> None:
        """A USB or PCI id alone means the device itself, with a kind its parts."""
        self.assertEqual(self.taken("twins", Match(usb="1A86:7523")), ["1-3.1", "1-3.4"])
        self.assertEqual(
            self.taken("twins", Match(usb="0x1a86:*", subsystem="tty")), ["ttyUSB0", "ttyUSB1"]
        )
        self.assertEqual(self.taken("camera", Match(serial="LC4400217")), ["1-5"])
        self.assertEqual(self.taken("camera", Match(usb="0c45", interface="2")), ["1-5:1.2"])
        interface = Match(usb="*", attribute={"bInterfaceClass": "0e"})
        self.assertEqual(self.taken("camera", interface), ["1-5:1.0", "1-5:1.1"])
        self.assertEqual(self.taken("cards", Match(pci="8086:46A6")), ["0000:00:02.0"])
        drm = Match(pci="8086:*", subsystem="drm", devtype="drm_minor")
        self.assertEqual(self.taken("cards", drm), ["card1", "renderD128"])
        self.assertEqual(self.taken("cards", Match(pci_class="0302*")), [])
        self.assertEqual(
            self.taken("cards", Match(pci_class="030000")), ["0000:01:00.0", "0000:00:02.0"]
        )

    def test_of_parts(self) -> None:
        """Below `not` and `any`, keys about the bus mean all that belongs to the device."""
        two = Match(subsystem="tty", any=[Match(usb="1a86:*"), Match(usb="1:2")])
        self.assertEqual(self.taken("twins", two), ["ttyUSB0", "ttyUSB1"])
        one = Match(subsystem="tty", not_=Match(usb_path="*3.1"))
        self.assertEqual(self.taken("twins", one), ["ttyUSB1"])
        none = Match(subsystem="tty", not_=Match(any=[Match(usb="1a86:7523")]))
        self.assertEqual(self.taken("twins", none), [])
        # Where nothing says which device is meant, alternatives do.
        alone = Match(any=[Match(usb="1a86:*"), Match(pci="1:2")])
        self.assertEqual(self.taken("twins", alone), ["1-3.1", "1-3.4"])

    def test_spellings(self) -> None:
        """Addresses match in capitals too, and those of PCI without their domain."""
        for address in ("0000:00:1C.1", "00:1c.1", "00:1C.1", "0000:00:1C.1*", r"/^\S+1c\.1$/"):
            self.assertEqual(self.taken("cards", Match(pci_bus_id=address)), ["0000:00:1c.1"])
        self.assertEqual(
            self.taken("camera", Match(mac_address="02:00:00:AA:BB:CC")), ["enx020000aabbcc"]
        )

    def test_spaces(self) -> None:
        """Spaces around an attribute do not count, as in what udevadm prints."""
        spaced = Match(subsystem="tty", parent=Match(attribute={"idVendor": " 1a86 "}))
        self.assertEqual(self.taken("twins", spaced), ["ttyUSB0", "ttyUSB1"])

    def test_usb_driver(self) -> None:
        """The driver of a USB device is that of its interfaces."""
        self.assertEqual(self.taken("twins", Match(usb="*", driver="ch341")), ["1-3.1", "1-3.4"])
        self.assertEqual(
            self.taken("twins", Match(subsystem="tty", driver="ch341")), ["ttyUSB0", "ttyUSB1"]
        )

    def test_path(self) -> None:
        """A path is a node, a glob of links, or a directory; each node is taken once."""
        self.assertEqual(self.taken("twins", Match(path="/dev/ttyUSB1")), ["ttyUSB1"])
        self.assertEqual(
            sorted(self.taken("twins", Match(path="/dev/serial/by-path/*"))), ["ttyUSB0", "ttyUSB1"]
        )
        self.assertEqual(self.taken("twins", Match(path="/dev/serial/by-id/*")), ["ttyUSB0"])
        self.assertEqual(self.taken("cards", Match(path="/dev/dri")), ["card1", "renderD128"])
        self.assertEqual(self.taken("cards", Match(path="/dev/*128")), [])
        self.assertEqual(self.taken("cards", Match(path="/dev/**128")), ["renderD128"])
        self.assertEqual(self.taken("cards", Match(path_regex="/card[0-9]$")), ["card1"])

    def test_reasons(self) -> None:
        """What drops a device is said in words."""
        cases: tuple[tuple[str, str, Match, str], ...] = (
            ("camera", "1-5", Match(serial="LC1"),
             "USB serial is LC4400217, the rule wants LC1"),
            ("cards", "0000:01:00.1", Match(pci="1234:00a2", driver="vfio-pci"),
             "0000:01:00.1 is bound to snd_hda_intel, the rule wants vfio-pci"),
            ("twins", "1-3.1", Match(serial="*"), "1-3.1 has no USB serial, the rule wants *"),
            ("twins", "ttyUSB0", Match(usb=["2341:0043", "2341:0001"], subsystem="tty"),
             "USB id is 1a86:7523, the rule wants one of 2341:0043, 2341:0001"),
            ("twins", "ttyUSB0", Match(kernel_name=[f"n{number}" for number in range(99)]),
             "kernel name is ttyUSB0, the rule wants one of n0, n1, n2, n3, n4 and 94 more"),
            ("twins", "ttyUSB0", Match(not_=Match(kernel_name="ttyUSB*")),
             "excluded: kernel name is ttyUSB0"),
            ("twins", "ttyUSB0", Match(deny="1a86:7523"),
             "excluded: 1a86:7523 is in the deny list"),
            ("twins", "ttyUSB0", Match(parent=Match(usb="2341:*")),
             "no ancestor of ttyUSB0 fits, the nearest: "
             "1-3.1: USB id is 1a86:7523, the rule wants 2341:*"),
            ("twins", "1-3.1:1.0", Match(child=Match(subsystem="net")),
             "no descendant of 1-3.1:1.0 fits, the nearest: "
             "ttyUSB0: subsystem is usb-serial, the rule wants net"),
            ("nvme", "nvme0n1", Match(child=Match(subsystem="net")),
             "the only descendant of nvme0n1 does not fit: "
             "nvme0n1p1: subsystem is block, the rule wants net"),
        )  # fmt: skip
        for where, name, match, reason in cases:
            outcome = match.test(named(host(where), name))
            self.assertEqual((outcome.ok, outcome.reason), (False, reason))

    def test_gone(self) -> None:
        """A node that is not there any more is said to be gone."""
        subject = Host(tree(self, "twins"))
        device = named(subject, "ttyUSB0")
        os.unlink(subject.prefix + "/dev/ttyUSB0")
        outcome = Match(path="/dev/ttyUSB0").test(device)
        self.assertEqual((outcome.ok, outcome.reason), (False, "the node /dev/ttyUSB0 is gone"))

    def test_parent(self) -> None:
        """All conditions of `parent` must hold for one and the same ancestor."""
        self.assertEqual(
            self.taken("camera", Match(subsystem="video4linux", parent=Match(usb="0c45:*"))),
            ["video2", "video3"],
        )
        # The device has the one attribute, its interface the other.
        split = Match(attribute={"idVendor": "0c45", "bInterfaceClass": "0e"})
        self.assertEqual(self.taken("camera", Match(subsystem="video4linux", parent=split)), [])

    def test_child(self) -> None:
        """`child` looks below a device, and not into what is plugged into a hub."""
        serial = Match(child=Match(driver="ch341"), subsystem="usb", devtype="usb_device")
        self.assertEqual(self.taken("twins", serial), ["1-3.1", "1-3.4"])
        connected = Match(subsystem="drm", child=Match(attribute={"status": "connected"}))
        self.assertEqual(self.taken("cards", connected), ["card1"])

    def test_physfn(self) -> None:
        """`physfn` is about the physical function of a virtual one."""
        self.assertEqual(
            self.taken("cards", Match(pci="*", physfn=Match(driver="labnic"))), ["0000:00:1c.1"]
        )
        outcome = self.outcome("cards", "0000:00:02.0", physfn=Match())
        self.assertEqual(outcome.reason, "0000:00:02.0 is no virtual function and no part of one")

    def test_without_udev(self) -> None:
        """Without udev's data base a property is undecidable, whatever is around it."""
        keys: dict[str, Any] = {"property": {"ID_VENDOR_ID": "1a86"}}
        self.assertIs(self.outcome("twins", "ttyUSB0", **keys).ok, True)
        outcome = self.outcome("twins", "ttyUSB0", udev=False, **keys)
        self.assertIsNone(outcome.ok)
        self.assertIn("udev's data base is not here", outcome.reason)
        self.assertIsNone(self.outcome("twins", "ttyUSB0", udev=False, not_=Match(**keys)).ok)
        parent = self.outcome("twins", "ttyUSB0", udev=False, parent=Match(**keys))
        self.assertIsNone(parent.ok)
        # What the kernel alone decides stays decided.
        sure = self.outcome("twins", "ttyUSB0", udev=False, subsystem="net", **keys)
        self.assertIs(sure.ok, False)
        either = Match(any=[Match(**keys), Match(subsystem="tty")])
        self.assertIs(either.test(named(host("twins", udev=False), "ttyUSB0")).ok, True)
        major = self.outcome("twins", "ttyUSB0", udev=False, property={"MAJOR": "188"})
        self.assertIs(major.ok, True)

    def test_lists(self) -> None:
        """Allow and deny lists know ids, addresses, serial numbers, nodes and links."""
        for name in ("0c45:6366", "0x6366", "LC4400217", "1-5", "pci-0000:00:0d.0-usbv2-0:5"):
            self.assertEqual(self.taken("camera", Match(usb="*", allow=[name])), ["1-5"])
        for name in ("0xC45:0x6366", "C45:6366", r"/^0c45:\S{4}$/"):
            self.assertEqual(self.taken("camera", Match(usb="*", allow=[name])), ["1-5"])
        self.assertEqual(self.taken("camera", Match(usb="0c45:*", deny=r"/^\D+$/")), ["1-5"])
        deny = Match(subsystem="drm", devtype="drm_minor", deny="/dev/dri/by-path/*render")
        self.assertEqual(self.taken("cards", deny), ["card1"])

    def test_unreadable(self) -> None:
        """An attribute that cannot be read is undecidable."""
        device = named(Host(tree(self, "twins")), "1-3.1")
        os.unlink(f"{device.path}/product")
        os.symlink("product", f"{device.path}/loop")
        os.mkdir(f"{device.path}/product")
        self.assertIs(Match(attribute={"product": "*"}).test(device).ok, False)
        self.assertIs(Match(attribute={"loop": "product"}).test(device).ok, True)

    def test_refused(self) -> None:
        """Patterns that cannot be any are refused."""
        Match(usb="1a86")
        self.assertEqual(self.taken("camera", Match(usb="/^0C45:63/")), ["1-5"])
        cases: tuple[tuple[dict[str, Any], str], ...] = (
            ({"usb": ":7523"}, "write vendor:product"),
            ({"usb": "12345:0001"}, "up to 4 hexadecimal digits"),
            ({"vendor_id": "xyz"}, "hexadecimal"),
            ({"kernel_name": "/(/"}, "no regular expression"),
            ({"path": "ttyUSB0"}, "absolute path"),
            ({"path": "/dev/../etc"}, "'..'"),
            ({"path_regex": "("}, "no regular expression"),
            ({"attribute": {"../x": "1"}}, "below the device's directory"),
            ({"udev": 'TEST=="x"'}, "no files are tested"),
            ({"attribute": {"*/*/*/x": "1"}}, "look through all of sysfs"),
        )
        for keys, reason in cases:
            error = self.assertRaises(BadSetting, Match, **keys)
            self.assertIn(reason, str(error))

    def test_like(self) -> None:
        """A match is made of another object with the same names."""
        inner = SimpleNamespace(usb=["0c45:*"], any=(), not_=None)
        outer = SimpleNamespace(subsystem=["video4linux"], parent=inner, any=[inner], path=())
        self.assertEqual(
            Match.like(outer),
            Match(subsystem="video4linux", parent=Match(usb="0c45:*"), any=[Match(usb="0c45:*")]),
        )

    def test_candidates(self) -> None:
        """Only devices that can match are looked at, and all that do."""
        for name in ("twins", "camera", "cards", "nvme"):
            subject = host(name)
            for match in (*SOME, Match(pci="*:*"), Match(path="/dev/**"), Match(serial="*")):
                found = [each for each in match.candidates(subject) if match.test(each).ok]
                every = [each for each in subject.devices() if match.test(each).ok]
                self.assertEqual(sorted(map(str, found)), sorted(map(str, every)))

    def test_likely(self) -> None:
        """Devices are looked up by the first condition, and all that may meet it are found."""
        some = [
            Match(usb="1a86:7523"),
            Match(usb=["1A86:*", "05e3:0610"]),
            Match(subsystem="tty", kernel_name=["*1", "ttyUSB0"]),
            Match(subsystem=["tty", "usb"], devtype="usb_device"),
            Match(subsystem="t*"),
            Match(subsystem="tty", property={"ID_VENDOR_ID": "1a86"}),
            Match(interface="00", driver="ch341"),
            Match(pci="8086:*", usb="1d6b:0002"),
        ]
        for udev in (True, False):
            subject = host("twins", udev=udev)
            for match in (*SOME, *some):
                found = [each for each in match.likely(subject) if match.holds(each) is not False]
                every = [each for each in subject.devices() if match.holds(each) is not False]
                self.assertEqual(sorted(map(str, found)), sorted(map(str, every)), match)
        likely = list(Match(usb="1a86:7523", serial="x").likely(host("twins")))
        self.assertEqual([each.name for each in likely], ["1-3.1", "1-3.4"])

    @settings(max_examples=60)
    @given(st.data())
    def test_laws(self, data: st.DataObject) -> None:
        """Not turns an answer around, `any` and keys together are "or" and "and"."""
        udev = data.draw(st.booleans())
        device = data.draw(st.sampled_from(list(host("twins", udev=udev).devices())))
        one, two = (data.draw(st.sampled_from(SOME)).of_parts for _ in range(2))
        first, second = one.test(device).ok, two.test(device).ok
        opposite = {True: False, False: True, None: None}
        self.assertIs(Match(not_=one).test(device).ok, opposite[first])
        self.assertIs(Match(not_=Match(not_=one)).test(device).ok, first)
        either = Match(any=[one, two]).test(device).ok
        none_of = Match(not_=Match(any=[Match(not_=one), Match(not_=two)])).test(device).ok
        both = Match(any=[one], not_=Match(not_=two)).test(device).ok
        self.assertIs(either, _worst_last(first, second, True))
        self.assertIs(none_of, _worst_last(first, second, False))
        self.assertIs(both, none_of)
        self.assertIs(Match(any=[two, one]).test(device).ok, either)


def _worst_last(one: bool | None, two: bool | None, decides: bool) -> bool | None:
    """Kleene's "or" if True decides, "and" if False does."""
    if decides in (one, two):
        return decides
    return None if None in (one, two) else not decides
