"""Tests for `twistdp.scanners.declared.asked`."""

from twisted.trial.unittest import SynchronousTestCase

from twistdp.scanners.declared.asked import asks
from twistdp.select.match import Match


class AskedTests(SynchronousTestCase):
    """`asks`"""

    def test_nodes(self) -> None:
        """Names of nodes and links that only one or some devices have."""
        for path in (
            "/dev/input/by-id/*-kbd",
            "/dev/input/by-id/usb-Maker*",
            "/dev/input/event3",
            "/dev/scanner*",
        ):
            self.assertTrue(asks(Match(path=path)), path)
            self.assertTrue(asks(Match(path_regex=path)), path)
        for path in (
            "/dev/*",
            "/dev/input",
            "/dev/input/by-path",
            "/dev/input/by-id/usb-*-event-*",
        ):
            self.assertFalse(asks(Match(path=path)), path)
        self.assertFalse(asks(Match(path=["/dev/hidraw3", "/dev/input/*"])))

    def test_hardware(self) -> None:
        """Keys with more than wildcards; of alternatives all must have it."""
        self.assertTrue(asks(Match(usb=["1a2b:*", "3c4d"])))
        self.assertFalse(asks(Match(usb=["1a2b:*", "*:*"])))
        self.assertTrue(asks(Match(uevent={"HID_NAME": "Maker*"})))
        self.assertFalse(asks(Match(uevent={"HID_NAME": "*"})))
        self.assertTrue(asks(Match(any=[Match(serial="1234"), Match(manufacturer="M*")])))
        self.assertFalse(asks(Match(any=[Match(serial="1234"), Match(driver="x")])))
        self.assertFalse(asks(Match(not_=Match(serial="1234"))))
        self.assertTrue(asks(Match(udev='SUBSYSTEM=="input", ENV{DEVLINKS}=="*Maker*"')))
        self.assertFalse(asks(Match(udev='KERNEL=="event*", ENV{ID_VENDOR}!="Maker"')))
