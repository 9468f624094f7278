"""Tests for ``twistdp record`` and ``twistdp fake``."""

import os
import stat
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from twistdp import cli
from twistdp.recording import read_recording
from twistdp.select import Host

TREES = Path(__file__).parents[1] / "select/trees"
TWINS = str(TREES / "twins.umockdev")


def nodes_of(root: str) -> dict[str, str]:
    """The serial adapters below a root: by syspath, the node."""
    return {
        one.syspath: one.node
        for one in Host(root).devices()
        if one.node is not None and one.node.startswith("/dev/ttyUSB")
    }


class RecordTests(SynchronousTestCase):
    """A tree is recorded, and its recording laid out again."""

    def setUp(self) -> None:
        """Lay a recording out."""
        self.directory = temporary_directory(self)
        self.root = os.path.join(self.directory, "root")
        self.assertEqual(cli.main(["fake", TWINS, self.root]), 0)

    def test_round(self) -> None:
        """The recording of a fake host shows the same devices; it is its owner's alone."""
        file = os.path.join(self.directory, "recording")
        self.assertEqual(cli.main(["record", file, "--root", self.root]), 0)
        self.assertEqual(stat.S_IMODE(os.stat(file).st_mode), 0o600)
        again = os.path.join(self.directory, "again")
        self.assertEqual(cli.main(["fake", file, again]), 0)
        self.assertEqual(nodes_of(again), nodes_of(self.root))
        self.assertEqual(len(nodes_of(again)), 2)
        self.assertEqual(cli.main(["record", file, "--root", self.root]), 1)  # it exists

    def test_count(self) -> None:
        """It says how many devices it has recorded."""
        for count, said in ((1, "1 device\n"), (2, "2 devices\n")):
            recording = os.path.join(self.directory, f"of-{count}")
            Path(recording).write_text(
                "\n".join(
                    f"P: /devices/pci0000:00/0000:00:0{number}.0\nE: SUBSYSTEM=pci\n"
                    for number in range(count)
                )
            )
            root, file = os.path.join(self.directory, str(count)), f"{recording}-again"
            self.assertEqual(cli.main(["fake", recording, root]), 0)
            errors = StringIO()
            with redirect_stderr(errors):
                self.assertEqual(cli.main(["record", file, "--root", root]), 0)
            self.assertEqual(errors.getvalue(), f"{file}: {said}")

    def test_unplug_and_plug(self) -> None:
        """An unplugged device leaves nothing; its twin gets the link that both claim."""
        before = nodes_of(self.root)
        for node, twin in (("/dev/ttyUSB0", "/dev/ttyUSB1"), ("/dev/ttyUSB1", "/dev/ttyUSB0")):
            self.assertEqual(cli.main(["fake", TWINS, self.root, "--unplug", node]), 0)
            self.assertEqual(list(nodes_of(self.root).values()), [twin])
            links = Path(self.root, "dev/serial/by-id").iterdir()
            self.assertEqual({os.path.realpath(link) for link in links}, {self.root + twin})
            self.assertEqual(cli.main(["fake", TWINS, self.root, "--plug", node]), 0)
            self.assertEqual(nodes_of(self.root), before)

    def test_refused(self) -> None:
        """A device that the recording does not have, and a directory that is in use."""
        self.assertEqual(cli.main(["fake", TWINS, self.root, "--unplug", "/dev/sda"]), 1)
        self.assertEqual(cli.main(["fake", TWINS, self.root]), 1)
        self.assertEqual(cli.main(["fake", "/no/such", os.path.join(self.directory, "x")]), 1)

    def test_nothing(self) -> None:
        """A host without devices is no recording: the directory is a wrong one."""
        file = os.path.join(self.directory, "recording")
        self.assertEqual(cli.main(["record", file, "--root", self.directory]), 1)
        self.assertFalse(os.path.exists(file))

    def test_anonymous(self) -> None:
        """With --anonymous no serial number is left."""
        tree = str(TREES / "camera.umockdev")
        host, file = os.path.join(self.directory, "camera"), os.path.join(self.directory, "shared")
        self.assertEqual(cli.main(["fake", tree, host]), 0)
        (serial, *_) = [
            one.attributes["serial"].strip()
            for one in read_recording(tree)
            if one.attributes.get("serial", b"").strip()
            and not one.attributes["serial"].startswith(b"0000:")
        ]
        self.assertEqual(cli.main(["record", file, "--anonymous", "--root", host]), 0)
        self.assertNotIn(serial.decode(), Path(file).read_text())
