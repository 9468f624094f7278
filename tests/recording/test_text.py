"""Tests for `twistdp.recording.text`."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.support.trees import recorded
from twistdp.recording.text import BadRecording, Recorded, parse, write

_NAMES = st.text("abcXYZ019_:.-", min_size=1, max_size=9).filter(lambda name: name.strip("."))
_PATHS = st.lists(_NAMES, min_size=1, max_size=4).map("/".join)
_TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=20)
_DEVICES = st.builds(
    Recorded,
    path=_PATHS.map("/devices/{}".format),
    node=st.none() | _PATHS,
    content=st.just(b""),
    claims=st.lists(_PATHS, max_size=3).map(tuple),
    properties=st.dictionaries(_NAMES, _TEXTS, max_size=3),
    attributes=st.dictionaries(_PATHS, st.binary(max_size=20) | _TEXTS.map(str.encode), max_size=3),
    links=st.dictionaries(_PATHS, _TEXTS.filter(bool), max_size=2),
)


class TextTests(SynchronousTestCase):
    """`parse` and `write`"""

    def test_read(self) -> None:
        """Each kind of line lands in its place; comments and Windows' line ends are allowed."""
        (device,) = parse(
            "# made by hand\r\nP: /devices/a/b\nN: bus/b=0102\nS: by-id/b\nE: MAJOR=1\n"
            r"A: product=A\\b\nc" "\nH: raw=00ff\nL: driver=../../drivers/d\n"
        )  # fmt: skip
        self.assertEqual(
            device,
            Recorded(
                "/devices/a/b",
                "bus/b",
                b"\1\2",
                ("by-id/b",),
                {"MAJOR": "1"},
                {"product": b"A\\b\nc", "raw": b"\0\xff"},
                {"driver": "../../drivers/d"},
            ),
        )

    def test_errors(self) -> None:
        """What cannot be read is refused with file and line."""
        for text, at, reason in (
            ("P: /devices/a\nX: 1\n", 2, "a line begins with"),
            ("N: a\n", 1, "begins with its only P: line"),
            ("P: /devices/a\nP: /devices/b\n", 2, "begins with its only P: line"),
            ("P: /devices/a\n\nP: /devices/a\n", 3, "is there twice"),
            ("P: /etc/a\n", 1, "no path below /devices/"),
            ("P: /devices/a/../../../etc\n", 1, "leads elsewhere"),
            ("P: /devices/a\nN: ../x\n", 2, "leads elsewhere"),
            ("P: /devices/a\nS: /etc/passwd\n", 2, "leads elsewhere"),
            ("P: /devices/a\nA: ../../x=1\n", 2, "leads elsewhere"),
            ("P: /devices/a\nA: x\n", 2, "write A: name=value"),
            ("P: /devices/a\nH: x=0g\n", 2, "no hexadecimal text"),
            ("P: /devices/a\nL: driver=a\0b\n", 2, "there is a NUL"),
            ("P: /devices/a\nL: driver=\n", 2, "a link says 1 to 4095 bytes, not 0"),
            (f"P: /devices/a\nL: driver={'x' * 4096}\n", 2, "a link says 1 to 4095 bytes"),
            (f"P: /devices/a\nE: SUBSYSTEM={'x' * 256}\n", 2, "at most 255 bytes"),
            (f"P: /devices/{'/'.join(['x' * 200] * 6)}\n", 1, "leads elsewhere"),
            ("P: /devices/a\n" + "E: A=b\n" * 100_000, 100_001, "more than 100000 lines"),
            ("P: /devices/a\nN: x=0\n", 2, "no hexadecimal text"),
        ):
            error = self.assertRaises(BadRecording, parse, text, "file.umockdev")
            self.assertIn(reason, str(error))
            self.assertEqual(str(error).split(" ")[0], f"file.umockdev:{at}:")

    def test_samples(self) -> None:
        """Our own trees survive being written and read."""
        for name in ("twins", "camera", "cards", "nvme"):
            devices = recorded(name)
            self.assertEqual(parse(write(devices)), devices)

    @settings(max_examples=100)
    @given(st.lists(_DEVICES, max_size=4, unique_by=lambda device: device.path))
    def test_round_trip(self, devices: list[Recorded]) -> None:
        """Whatever can be recorded is read as it was written."""
        self.assertEqual(list(parse(write(devices))), devices)
