"""Tests for `twistdp.settings`."""

import os
import tempfile
from pathlib import Path
from unittest.mock import Mock

import attrs
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from twistdp.errors import BadSetting
from twistdp.settings import Settings, check_plugin_directory


class SettingsTests(SynchronousTestCase):
    """`Settings` are frozen and validated."""

    def test_defaults(self) -> None:
        """Without anything given, the kubelet's own directory is used, and half a minute."""
        settings = Settings()
        self.assertEqual(settings.plugin_dir, "/var/lib/kubelet/device-plugins")
        self.assertEqual(settings.scan_timeout, 30.0)

    def test_frozen(self) -> None:
        """Settings cannot be changed."""
        self.assertRaises(
            attrs.exceptions.FrozenInstanceError, setattr, Settings(), "scan_timeout", 1
        )

    def test_directory_is_absolute(self) -> None:
        """The directory is made absolute and plain, from a str or a path object."""
        self.patch(os, "getcwd", lambda: "/here")
        for given, expected in (
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b"),
            ("/a//x/../b/.", "/a/b"),
            ("plugins", "/here/plugins"),
            (Path("/a/b"), "/a/b"),
        ):
            self.assertEqual(Settings(plugin_dir=given).plugin_dir, expected)

    def test_empty_directory(self) -> None:
        """An empty path is refused and not taken for the current directory."""
        error = self.assertRaises(BadSetting, Settings, plugin_dir="")
        self.assertIn("path is empty", str(error))

    def test_timeouts(self) -> None:
        """Only a positive, finite number of seconds is a time limit."""
        for good in (0.001, 1, 5.5, 1e9):
            self.assertEqual(Settings(scan_timeout=good).scan_timeout, good)
        for bad in (0, -1, -0.5, float("inf"), float("-inf"), float("nan")):
            error = self.assertRaises(BadSetting, Settings, scan_timeout=bad)
            self.assertEqual(
                str(error), f"--scan-timeout {bad:g}: it must be a positive number of seconds"
            )

    def test_directory_too_long(self) -> None:
        """A directory in which no socket fits is refused, and the longest that fits is taken."""
        longest = "/" + "d" * (107 - len("/.tdp-12345678/s") - 1)
        Settings(plugin_dir=longest)
        error = self.assertRaises(BadSetting, Settings, plugin_dir=longest + "d")
        self.assertIn(longest + "d", str(error))
        self.assertIn("1 bytes too long", str(error))

    def test_nothing_is_touched(self) -> None:
        """A directory that is not there is a setting like any other."""
        directory = tempfile.mkdtemp()  # shorter than trial's
        self.addCleanup(os.rmdir, directory)
        Settings(plugin_dir=os.path.join(directory, "absent"))
        self.assertEqual(os.listdir(directory), [])


class CheckPluginDirectoryTests(SynchronousTestCase):
    """`check_plugin_directory` distinguishes a mistaken path from one that may still appear."""

    def setUp(self) -> None:
        """Make a directory to look at."""
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)

    def test_there(self) -> None:
        """A writable directory is good, and so is a link to one; nothing is made in it."""
        link = f"{self.directory}-link"
        os.symlink(self.directory, link)
        check_plugin_directory(self.directory)
        check_plugin_directory(link)
        self.assertEqual(os.listdir(self.directory), [])

    def test_missing(self) -> None:
        """A directory that is missing in one that is there is waited for, not made."""
        path = os.path.join(self.directory, "device-plugins")
        check_plugin_directory(path)
        self.assertFalse(os.path.exists(path))

    def test_parent_missing(self) -> None:
        """A directory whose parent is missing too is taken for a mistake."""
        path = os.path.join(self.directory, "kubelet", "device-plugins")
        self.refused(path, "neither it nor its parent exists")

    def test_parent_is_a_file(self) -> None:
        """A directory below a file can never appear."""
        self.refused(os.path.join(self.file(), "device-plugins"), "nor its parent")

    def test_file(self) -> None:
        """A file in the directory's place is refused."""
        self.refused(self.file(), "not a directory")

    def test_dangling_link(self) -> None:
        """A link that leads nowhere is refused."""
        path = os.path.join(self.directory, "link")
        os.symlink("absent", path)
        self.refused(path, "not a directory")

    def test_not_writable(self) -> None:
        """A directory in which this user cannot make sockets is refused."""
        if os.geteuid() == 0:
            raise SkipTest("root may write everywhere")
        for mode in (0o555, 0o666):
            os.chmod(self.directory, mode)
            self.addCleanup(os.chmod, self.directory, 0o755)
            self.refused(self.directory, "not writable for this user")

    def test_what_writable_means(self) -> None:
        """The permissions asked for are to write in the directory and to enter it."""
        for missing in (os.W_OK, os.X_OK):
            self.allow(missing)
            self.refused(self.directory, "not writable for this user")
        self.allow(os.R_OK)
        check_plugin_directory(self.directory)

    def test_read_only(self) -> None:
        """A file system that may only be read now is waited for, unless this user may not enter."""
        flags = os.statvfs(self.directory).f_flag | os.ST_RDONLY
        self.patch(os, "statvfs", lambda path: Mock(f_flag=flags))
        self.allow(os.W_OK)
        check_plugin_directory(self.directory)
        self.allow(os.X_OK)
        self.refused(self.directory, "not writable for this user")

    def allow(self, missing: int) -> None:
        """Let the user have all permissions for the directory but one."""

        def access(path: str, mode: int) -> bool:
            self.assertEqual(path, self.directory)
            return not mode & missing

        self.patch(os, "access", access)

    def file(self) -> str:
        """A file's path."""
        path = os.path.join(self.directory, "file")
        with open(path, "wb"):
            pass
        return path

    def refused(self, path: str, why: str) -> None:
        """Check that `path` is refused with its name, the reason, and the option to change."""
        error = self.assertRaises(BadSetting, check_plugin_directory, path)
        self.assertIn(f"plugin directory {path}: ", str(error))
        self.assertIn(why, str(error))
        self.assertIn("--plugin-dir", str(error))
