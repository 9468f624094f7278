"""Tests of the options --registration and --registry-dir, and of their settings."""

import os
from unittest.mock import Mock

from twisted.trial.unittest import SynchronousTestCase

from tests.test_tap import NAMED, CommandLine
from twistdp.errors import BadSetting
from twistdp.settings import Settings, check_socket_directory


class SettingsTests(SynchronousTestCase):
    """`Settings.registration` and `Settings.registry_dir`."""

    def test_defaults(self) -> None:
        """Plugins register at the kubelet's socket, and sockets are bound beside their names."""
        settings = Settings()
        self.assertEqual(settings.registration, "socket")
        self.assertEqual(settings.registry_dir, "/var/lib/kubelet/plugins_registry")
        self.assertEqual(settings.socket_dir, settings.plugin_dir)
        self.assertIsNone(settings.private_place)

    def test_watcher(self) -> None:
        """The sockets are in the registry directory and bound outside of it."""
        settings = Settings(registration="watcher", registry_dir="/x/r")
        self.assertEqual((settings.socket_dir, settings.private_place), ("/x/r", "/x"))

    def test_another_way(self) -> None:
        """There are two ways."""
        error = self.assertRaises(BadSetting, Settings, registration="post")
        self.assertIn("socket, watcher", str(error))

    def test_too_long(self) -> None:
        """A path that leaves no room for a socket is refused."""
        error = self.assertRaises(BadSetting, Settings, registry_dir="/" + "d" * 107)
        self.assertIn("registry directory", str(error))


class OptionsTests(CommandLine):
    """The command line."""

    def test_socket(self) -> None:
        """Without an option, the registry directory need not exist."""
        (manager,) = self.parse(NAMED, "--registry-dir=/nonexistent/x/y").managers
        self.assertEqual(manager._settings.registration, "socket")

    def test_watcher(self) -> None:
        """With watcher, the plugin directory need not exist, nor the registry directory yet."""
        registry = os.path.join(self.directory, "r")
        for _ in range(2):
            (manager,) = self.parse(
                NAMED,
                "--registration=watcher",
                f"--registry-dir={registry}",
                plugin_dir="/nonexistent/x/y",
            ).managers
            self.assertEqual(manager._settings.socket_dir, registry)
            self.assertFalse(os.path.exists(registry))
        os.mkdir(registry)

    def test_another_way(self) -> None:
        """Another way is refused with the ways there are."""
        self.assert_refused(
            [NAMED, "--registration=post"], "'post'", "socket, watcher", plugin_dir=self.plugin_dir
        )

    def test_bad_directory(self) -> None:
        """A registry directory that cannot be is refused by its option's name."""
        path = os.path.join(self.directory, "file")
        with open(path, "w", encoding="ascii"):
            pass
        for registry, why in ((path, "not a directory"), ("/nonexistent/x/y", "nor its parent")):
            self.assert_refused(
                [NAMED, "--registration=watcher", f"--registry-dir={registry}"],
                f"registry directory {registry}",
                why,
                "--registry-dir",
            )

    def test_parent_not_writable(self) -> None:
        """The private directories are made in the parent, which must be writable."""
        self.patch(os, "access", lambda path, mode: path != self.directory)
        settings = Settings(registration="watcher", registry_dir=self.plugin_dir)
        error = self.assertRaises(BadSetting, check_socket_directory, settings)
        self.assertIn(f"{self.directory}, where its sockets are made", str(error))

    def test_parent_read_only(self) -> None:
        """Like the directory itself, the parent's file system may be made writable later."""
        self.patch(os, "access", lambda path, mode: path != self.directory or not mode & os.W_OK)
        settings = Settings(registration="watcher", registry_dir=self.plugin_dir)
        self.assertRaises(BadSetting, check_socket_directory, settings)
        self.patch(os, "statvfs", lambda path: Mock(f_flag=os.ST_RDONLY))
        check_socket_directory(settings)
