"""Tests for `twistdp.uevents.message`."""

import os

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.support.uevents import message
from twistdp.uevents.message import Uevent, parsed

NAMES = st.from_regex(r"[A-Za-z0-9:._!-]{1,12}", fullmatch=True).filter(
    lambda name: name not in (".", "..")
)
PATHS = st.lists(NAMES, min_size=1, max_size=6).map(lambda names: "/" + "/".join(names))
PIECES = [
    *(b"add@", b"move@", b"/devices", b"/", b"..", b"\0", b"SUBSYSTEM=", b"net", b"\xff", b"\n"),
    *(b"DEVPATH_OLD=", b"libudev", b"="),
]


class ParsedTests(SynchronousTestCase):
    """`parsed`"""

    def test_kernels(self) -> None:
        """A message as the kernel sent it."""
        text = (
            b"bind@/devices/pci0000:00/0000:00:05.0/virtio4\0ACTION=bind\0"
            b"DEVPATH=/devices/pci0000:00/0000:00:05.0/virtio4\0SUBSYSTEM=virtio\0"
            b"DRIVER=virtio_rng\0MODALIAS=virtio:d00000004v00001AF4\0SEQNUM=4540\0"
        )
        path = "/devices/pci0000:00/0000:00:05.0/virtio4"
        self.assertEqual(parsed(text), Uevent("bind", path, "virtio"))

    def test_move(self) -> None:
        """A device that moved was elsewhere before."""
        before = "/devices/virtual/net/eth0"
        found = parsed(message("move", "/devices/virtual/net/lan", "net", {"DEVPATH_OLD": before}))
        self.assertEqual(found, Uevent("move", "/devices/virtual/net/lan", "net", before))
        for wrong in ("", "devices/x", "/devices/../x", "/a\nb"):
            found = parsed(message("move", "/devices/x", "net", {"DEVPATH_OLD": wrong}))
            self.assertEqual(found, Uevent("move", "/devices/x", "net"))

    def test_not_the_kernels(self) -> None:
        """Other messages are nothing: udev's, cut off ones, and paths that lead elsewhere."""
        good = message("add", "/devices/x", "net")
        self.assertIsNotNone(parsed(good))
        for text in (
            b"",
            b"\0",
            b"libudev\0\xfe\xed\xca\xfe" + good,
            good[: good.index(b"\0")],
            good[: good.index(b"SUBSYSTEM")],
            b"add@/devices/x\0SUBSYSTEM=\0",
            b"add@devices/x\0SUBSYSTEM=net\0",
            b"add@/devices/../../etc\0SUBSYSTEM=net\0",
            b"add@/devices/./x\0SUBSYSTEM=net\0",
            b"add@/devices//x\0SUBSYSTEM=net\0",
            b"add@/devices/x/\0SUBSYSTEM=net\0",
            b"add@/devices/a\nb\0SUBSYSTEM=net\0",
            b"ADD@/devices/x\0SUBSYSTEM=net\0",
            b"@/devices/x\0SUBSYSTEM=net\0",
        ):
            self.assertIsNone(parsed(text), text)

    def test_names_of_any_bytes(self) -> None:
        """Names that are not UTF-8 are as `os.fsdecode` decodes them; dots may be in names."""
        found = parsed(b"add@/devices/\xff/.x/..y\0SUBSYSTEM=net\0")
        self.assertEqual(found, Uevent("add", os.fsdecode(b"/devices/\xff/.x/..y"), "net"))

    @given(st.sampled_from(["add", "remove", "online"]), PATHS, NAMES)
    def test_round_trip(self, action: str, path: str, subsystem: str) -> None:
        """What the kernel writes is read back."""
        self.assertEqual(parsed(message(action, path, subsystem)), Uevent(action, path, subsystem))

    @given(st.binary(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join))
    def test_any_bytes(self, text: bytes) -> None:
        """Whatever the bytes: nothing, or an event whose paths lead nowhere but down."""
        event = parsed(text)
        if event is None:
            return
        self.assertTrue(event.subsystem)
        for path in (event.path, event.old_path or "/x"):
            self.assertEqual(os.path.normpath(path), path)
            self.assertTrue(path.startswith("/") and not path.startswith("//"))
            self.assertFalse({"\n", "\0"} & set(path))
