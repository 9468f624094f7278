"""Tests for `twistdp.host.listing`."""

import errno
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twistdp.host import listing
from twistdp.host.listing import entries, expanded


class EntriesTests(SynchronousTestCase):
    """`entries`"""

    def setUp(self) -> None:
        """Make a directory."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def test_natural_order(self) -> None:
        """Numbers are counted, whatever the order on disk."""
        for name in ("tty10", "tty2", "a", "tty1"):
            (self.directory / name).touch()
        for directory in (self.directory, str(self.directory)):
            self.assertEqual(entries(directory), ["a", "tty1", "tty2", "tty10"])

    def test_names_that_no_device_can_have(self) -> None:
        """Names that no container could get are left out."""
        for name in (b"a", b"\xff", b"\x1b[2J", "a\u202e".encode(), "é".encode()):
            with open(os.path.join(os.fsencode(self.directory), name), "xb"):
                pass
        self.assertEqual(entries(self.directory), ["a", "é"])

    def test_missing(self) -> None:
        """A directory that is gone has no entries, and neither has one above it that is gone."""
        self.assertEqual(entries(self.directory / "gone"), [])
        self.assertEqual(entries(self.directory / "gone" / "by-id"), [])

    def test_no_directory(self) -> None:
        """A file where the directory should be has no entries."""
        (self.directory / "file").touch()
        self.assertEqual(entries(self.directory / "file"), [])

    def test_unreadable(self) -> None:
        """A directory that cannot be read is not taken for an empty one."""
        for number in (errno.EACCES, errno.EMFILE, errno.EIO):

            def refuse(path: str, number: int = number) -> list[str]:
                raise OSError(number, os.strerror(number), path)

            patch = self.patch(os, "listdir", refuse)
            error = self.assertRaises(OSError, entries, self.directory)
            patch.restore()
            self.assertEqual(error.errno, number)


class ExpandedTests(SynchronousTestCase):
    """`expanded`"""

    def test_first(self) -> None:
        """The first match in natural order, of the whole name; other names stay."""
        directory = Path(self.mktemp())
        for name in ("hwmon/hwmon10", "hwmon/hwmon2", "hwmon/hwmon1"):
            (directory / name).mkdir(parents=True)
        for name in ("hwmon/hwmon10/temp1_input", "hwmon/hwmon2/temp1_input"):
            (directory / name).touch()
        for name, wanted in (
            ("hwmon/hwmon*/temp1_input", "hwmon/hwmon2/temp1_input"),
            ("hwmon/hwmon*/temp2_input", "hwmon/hwmon*/temp2_input"),
            ("vendor", "vendor"),
            ("hwmon/hwmon?/temp1_input", "hwmon/hwmon?/temp1_input"),
        ):
            self.assertEqual(expanded(str(directory), name), wanted)

    def test_as_in_a_shell(self) -> None:
        """Wildcards match no leading dot, files have nothing below them, and a path stays whole."""
        directory = Path(self.mktemp()).absolute()
        (directory / ".hidden").mkdir(parents=True)
        (directory / ".hidden" / "x").touch()
        (directory / "file").touch()
        (directory / "gone").symlink_to("nowhere")
        for name, wanted in (
            ("*", "file"),
            (".*", ".hidden"),
            ("*/x", "*/x"),
            (".*/*", ".hidden/x"),
            ("g*", "gone"),
            ("./.h*/../f*", "./.hidden/../file"),
        ):
            self.assertEqual(expanded(str(directory), name), wanted)
            self.assertEqual(expanded("/", f"{directory}/{name}"), f"{directory}/{wanted}")

    def test_many(self) -> None:
        """However many entries there are, also through links, a bounded number is looked at."""
        directory = Path(self.mktemp())
        (directory / "many").mkdir(parents=True)
        for number in range(8):
            (directory / "many" / f"link{number}").symlink_to("..")
        seen: list[str] = []

        def matched(name: str, part: str) -> bool:
            seen.append(name)
            return True

        self.patch(listing, "fnmatchcase", matched)
        self.patch(listing, "MOST_EXPANDED", 100)
        self.assertEqual(expanded(str(directory), "*/*/*/*/*/*/*/*"), "*/*/*/*/*/*/*/*")
        self.assertEqual(len(seen), 100)
