"""Tests for `examples.color`, the plugin that people read first."""

import os
import shutil
import stat
import tempfile
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from examples.color import ColorScanner, is_device_node
from twistdp import HEALTHY, DeviceInfo, DeviceSpec, DeviceTree, Mount
from twistdp.model.acceptance import accept


class ColorScannerTests(SynchronousTestCase):
    """`ColorScanner` in a directory of its own."""

    def setUp(self) -> None:
        """Make the directory."""
        self.directory = tempfile.mkdtemp(prefix="color-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.scanner = ColorScanner(self.directory)

    def file(self, name: str) -> str:
        """Make an empty file."""
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="ascii"):
            return path

    def ids(self) -> dict[str, set[str]]:
        """The ids of each colour."""
        tree = self.scanner.discover()
        return {color: set(tree[color]) for color in tree}

    def test_colors(self) -> None:
        """Every file is a device, and its colour the name up to the first ``-``."""
        for name in ("yellow-0", "yellow-1", "blue-0", "dark.red-1-2"):
            self.file(name)
        self.assertEqual(
            self.ids(),
            {
                "yellow": {"yellow-0", "yellow-1"},
                "blue": {"blue-0"},
                "dark.red": {"dark.red-1-2"},
            },
        )

    def test_name_without_hyphen(self) -> None:
        """A name without ``-`` is a colour as a whole."""
        self.file("green")
        self.assertEqual(self.ids(), {"green": {"green"}})

    def test_bad_name(self) -> None:
        """A name that starts with ``-`` has no colour: it costs only itself."""
        self.file("-1")
        self.file("blue-0")
        accepted = accept(self.scanner.discover())
        self.assertEqual(set(accepted.resources), {"blue"})
        self.assertEqual(len(accepted.refusals), 1)

    def test_plain_file(self) -> None:
        """A plain file is a healthy device that is mounted read-only."""
        path = self.file("yellow-0")
        self.assertEqual(
            self.scanner.discover()["yellow"]["yellow-0"],
            DeviceInfo(HEALTHY, mounts=[Mount(path, path, read_only=True)]),
        )

    def test_device_node(self) -> None:
        """A device node is given as one, to read and write."""
        if os.geteuid() != 0:
            raise SkipTest("making device nodes needs root")
        path = os.path.join(self.directory, "yellow-0")
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        self.assertEqual(
            self.scanner.discover()["yellow"]["yellow-0"],
            DeviceInfo(HEALTHY, nodes=[DeviceSpec(path, path, "rw")]),
        )

    def test_empty_directory(self) -> None:
        """An empty directory has no devices."""
        self.assertEqual(self.scanner.discover(), DeviceTree())

    def test_missing_directory(self) -> None:
        """A directory that is missing has no devices either, which is no error."""
        os.rmdir(self.directory)
        self.assertEqual(self.scanner.discover(), DeviceTree())

    def test_directory_appears(self) -> None:
        """A directory that appears later is looked into then."""
        os.rmdir(self.directory)
        self.scanner.discover()
        os.mkdir(self.directory)
        self.file("blue-0")
        self.assertEqual(self.ids(), {"blue": {"blue-0"}})

    def test_watched(self) -> None:
        """The directory is what is watched, and by default the one that the text names."""
        self.assertEqual(self.scanner.paths, [self.directory])
        self.assertEqual(ColorScanner().paths, ["/run/colors"])
        self.assertEqual(ColorScanner.namespace, "color.example.com")


class IsDeviceNodeTests(SynchronousTestCase):
    """`is_device_node`"""

    def test_node(self) -> None:
        """A character device is a device node."""
        self.assertTrue(is_device_node("/dev/null"))

    def test_others(self) -> None:
        """A directory, a file, and what is gone meanwhile are none."""
        for path in ("/dev", __file__, "/dev/no-such-node"):
            self.assertFalse(is_device_node(path))
