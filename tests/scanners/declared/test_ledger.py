"""Tests for which complete devices are listed in the end."""

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.support.declarations import devices, resources, scanner
from twistdp.model.devices import HEALTHY, DeviceInfo, DeviceSpec
from twistdp.scanners.declared import ledger
from twistdp.scanners.declared.found import Listed
from twistdp.scanners.declared.ledger import Ledger
from twistdp.scanners.declared.rule import Rule
from twistdp.select.device import Device
from twistdp.select.explaining import Cause
from twistdp.select.host import Host

FIRST = "pci-0000:00:0d.0-usbv2-0:3.1-if00-port0"
SECOND = "pci-0000:00:0d.0-usbv2-0:3.4-if00-port0"


class LedgerTests(SynchronousTestCase):
    """`Ledger`"""

    def found(self, text: str, where: str = "twins") -> dict[str, list[str]]:
        """The ids of each type; `left_out` has the causes and reasons of the rest."""
        made = scanner(where, text)
        tree = made.discover()
        self.left_out = [(each.cause, each.reason) for each in made.survey.left_out]
        self.warnings = [text for _, text in made.survey.warnings() if "belong" in text]
        return {kind: list(devices(tree, kind)) for kind in tree}

    def test_overlap(self) -> None:
        """Resources may share a node, which is reported."""
        both = "a: {path: /dev/ttyUSB*}\nb: {path: /dev/ttyUSB1}"
        self.assertEqual(self.found(both), {"a": [FIRST, SECOND], "b": [SECOND]})
        (warning,) = self.warnings
        self.assertIn("/dev/ttyUSB1 belongs to both a and b", warning)

    def test_exclusive(self) -> None:
        """An exclusive resource keeps its devices from those after it, not from those before."""
        both = "a: {path: /dev/ttyUSB1, exclusive: true}\nb: {path: /dev/ttyUSB*}"
        self.assertEqual(self.found(both), {"a": [SECOND], "b": [FIRST]})
        ((cause, reason),) = self.left_out
        self.assertEqual(cause, Cause.RULE)
        self.assertEqual(reason, "/dev/ttyUSB1 belongs to a, which is exclusive")
        self.assertEqual(self.warnings, [])
        other = "a: {path: /dev/ttyUSB1}\nb: {path: /dev/ttyUSB*, exclusive: true}"
        self.assertEqual(self.found(other), {"a": [SECOND], "b": [FIRST, SECOND]})

    def test_common_member(self) -> None:
        """A fixed path that members name is nobody's own: each device may have it."""
        more = "members: [/dev/vfio/vfio], exclusive: true"
        both = f"a: {{path: /dev/dri/card1, {more}}}\nb: {{path: /dev/kvm, {more}}}"
        self.assertEqual({*self.found(both, "cards")}, {"a", "b"})
        self.assertEqual((self.left_out, self.warnings), ([], []))

    def test_limit(self) -> None:
        """At most so many devices are listed."""
        self.assertEqual(self.found("a: {path: /dev/ttyUSB*, limit: 1}"), {"a": [FIRST]})
        ((cause, reason),) = self.left_out
        self.assertEqual((cause, reason), (Cause.RULE, "the limit of 1 device is reached"))

    def test_ambiguous_ids(self) -> None:
        """Devices that a template gives one id are all left out: the id would mean either."""
        self.assertEqual(self.found('a: {path: /dev/ttyUSB*, id: "{vendorID}"}'), {})
        self.assertEqual(
            self.left_out,
            [(Cause.FAULT, "1 other device has the id 1a86; make ids differ with id")] * 2,
        )

    def test_template(self) -> None:
        """An id is made of the words of the vocabulary, attributes and uevent keys."""
        text = 'a: {path: /dev/ttyUSB*, id: "{vendorID}-{uevent:MINOR}"}'
        self.assertEqual(self.found(text), {"a": ["1a86-0", "1a86-1"]})

    def test_missing_word(self) -> None:
        """A device without a word that a template needs is left out, and says which."""
        self.assertEqual(self.found('a: {path: /dev/ttyUSB*, id: "{serial}"}'), {})
        self.assertIn("the device has no serial, which '{serial}' needs", self.left_out[0][1])

    def test_gone(self) -> None:
        """A device whose node is gone is left out."""
        self.assertEqual(self.found("a: {subsystem: net, as: tty}", "camera"), {})
        self.assertIn("has no node of the kind tty", self.left_out[0][1])


class MovedTests(SynchronousTestCase):
    """Devices that come back with other nodes"""

    def test_forgotten(self) -> None:
        """The nodes of devices that are gone are remembered, but not of all that ever were."""
        self.patch(ledger, "MOST_GONE", 1)
        lead = Device(Host("/nowhere"), "", "/dev/null")
        units = {}
        for id_ in "abc":
            node = DeviceSpec("/dev/bus/usb/001/002", "/dev/x")
            units[0, id_] = Listed("thing", id_, DeviceInfo(HEALTHY, nodes=[node]), lead)
        book = Ledger([Rule("thing", resources("thing: {usb: 04d9}")["thing"])])
        for some in ("abc", "c", ""):
            book.forget()
            book.replace({key: units[key] for key in units if key[1] in some})
        moved = DeviceInfo(HEALTHY, nodes=[DeviceSpec("/dev/bus/usb/001/009", "/dev/x")])
        book.replace({key: attrs.evolve(each, info=moved) for key, each in units.items()})
        (text,) = book.moved
        self.assertIn("thing: device c was /dev/bus/usb/001/002 and is /dev/bus/usb/001/009", text)
