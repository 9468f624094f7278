"""Tests for `twistdp.select.vocabulary`."""

import re

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.support.trees import host, named
from twistdp.select.match import Match
from twistdp.select.vocabulary import WORDS, describe, dra_text


class VocabularyTests(SynchronousTestCase):
    """`describe`"""

    def test_tty(self) -> None:
        """A tty has the words of the USB device that it is a function of."""
        self.assertEqual(
            dict(describe(named(host("twins"), "ttyUSB1"))),
            {
                "vendorID": "1a86",
                "productID": "7523",
                "product": "USB2.0-Serial",
                "modelName": "USB2.0-Serial",
                "interfaceNumber": "00",
                "interfaceClass": "ff",
                "portNumber": 0,
                "usbVersion": "2.00",
                "usbPath": "pci-0000:00:0d.0-usbv2-0:3.4",
                "subsystem": "tty",
                "driver": "ch341-uart",
                "kernelName": "ttyUSB1",
                "pciBusID": "0000:00:0d.0",
                "pciClass": "0c0330",
                "subsystemVendorID": "8086",
                "subsystemDeviceID": "1111",
                "major": 188,
                "minor": 1,
            },
        )

    def test_others(self) -> None:
        """PCI, NVMe and network devices have words of their own."""
        for tree, name, word, wanted in (
            ("cards", "0000:00:1c.1", "physfn", "0000:00:1c.0"),
            ("cards", "0000:00:1c.1", "vfNumber", 0),
            ("cards", "0000:00:1c.0", "vfNumber", None),
            ("cards", "renderD128", "numaNode", 0),
            ("cards", "renderD128", "iommuGroup", 0),
            ("nvme", "nvme0n1", "serial", "NVLAB000317"),
            ("nvme", "nvme0n1", "modelName", "Lab Drive"),
            ("nvme", "nvme1", "numaNode", 1),
            ("camera", "enx020000aabbcc", "macAddress", "02:00:00:aa:bb:cc"),
            ("camera", "video2", "manufacturer", "Sonar"),
        ):
            self.assertEqual(describe(named(host(tree), name)).get(word), wanted, word)
        self.assertNotIn("numaNode", describe(named(host("twins"), "0000:00:0d.0")))

    def test_one(self) -> None:
        """Each word of templates is a condition too, under the same name."""
        keys = {field.metadata.get("key") for field in attrs.fields(Match)}
        self.assertEqual(set(WORDS) - keys, set())
        for name, match in (
            ("ttyUSB0", Match(usb_version="2.*", subsystem="tty")),
            ("ttyUSB0", Match(interface_number="0", subsystem="tty")),
            ("ttyUSB0", Match(major="188", minor="0")),
        ):
            found = [each.name for each in match.candidates(host("twins")) if match.holds(each)]
            self.assertIn(name, found)
        (net,) = (
            each for each in host("camera").devices() if Match(mac_address="02:00:*").holds(each)
        )
        self.assertEqual(net.subsystem, "net")

    def test_rules(self) -> None:
        """Names and values are what DRA allows."""
        for name in WORDS:
            self.assertTrue(re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,31}", name))
        for tree in ("twins", "camera", "cards", "nvme"):
            for device in host(tree).devices():
                for value in describe(device).values():
                    self.assertLessEqual(len(str(value).encode()), 64)

    @given(st.text(max_size=200), st.text(max_size=200))
    def test_texts(self, one: str, other: str) -> None:
        """A text is cut to 64 bytes, and long ones stay different."""
        text = dra_text(one)
        self.assertLessEqual(len(text.encode()), 64)
        self.assertTrue(text.isprintable())
        self.assertEqual(dra_text(text), text)
        if one[:100].isalnum() and len(one) > 100 and one != other:
            self.assertNotEqual(dra_text(one + "x"), dra_text(one + "y"))
