"""Tests for twistdp.rpc.leftovers."""

import os
import socket

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.helpers import temporary_directory
from twistdp.naming import private_directory
from twistdp.rpc import remove_leftovers
from twistdp.rpc.socketfile import SocketFile


class LeftoverTests(SynchronousTestCase):
    """A directory with sockets of servers that live and of some that do not."""

    def setUp(self) -> None:
        """An empty one, and another place to bind in."""
        self.directory = temporary_directory(self)
        self.place = temporary_directory(self)

    def published(self, name: str, place: str | None = None) -> SocketFile:
        """The socket of a server that lives."""
        file = SocketFile(f"{self.directory}/{name}", place)
        self.addCleanup(file.release)
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(file.claim())
        file.publish()
        return file

    def killed(self, name: str, place: str | None = None) -> SocketFile:
        """What a killed server has left: everything but the lock."""
        file = self.published(name, place)
        assert file._lock is not None
        os.close(file._lock)
        file._lock = None
        return file

    def test_dead_ones_are_removed(self) -> None:
        """Name and private directory, also one whose name a kubelet has deleted."""
        self.killed("a.sock")
        os.unlink(self.killed("b.sock").path)
        remove_leftovers(self.directory)
        self.assertEqual(os.listdir(self.directory), [])

    def test_bound_elsewhere(self) -> None:
        """With another place to bind in, both are cleaned."""
        self.killed("a.sock", self.place)
        remove_leftovers(self.directory, self.place)
        self.assertEqual(os.listdir(self.directory) + os.listdir(self.place), [])

    def test_killed_before_it_had_bound(self) -> None:
        """An empty private directory goes; a name that stands for something else stays."""
        path = f"{self.directory}/a.sock"
        os.mkdir(private_directory(path), 0o700)
        with open(path, "w", encoding="ascii"):
            pass
        remove_leftovers(self.directory)
        self.assertEqual(os.listdir(self.directory), ["a.sock"])

    def test_live_ones_stay(self) -> None:
        """A server whose directory is locked keeps everything."""
        file = self.published("a.sock")
        before = sorted(os.listdir(self.directory))
        remove_leftovers(self.directory)
        self.assertEqual(sorted(os.listdir(self.directory)), before)
        self.assertTrue(file.is_bound() and file.is_published())

    def test_what_took_the_name_stays(self) -> None:
        """A name that now leads to another socket is not ours to remove."""
        file = self.killed("a.sock")
        os.unlink(file.path)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(file.path)
            remove_leftovers(self.directory)
        self.assertEqual(os.listdir(self.directory), ["a.sock"])

    def test_others_things_stay(self) -> None:
        """Sockets, files and directories that no server of ours has made."""
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(f"{self.directory}/other.sock")
        os.mkdir(f"{self.directory}/.tdp-notours")
        os.symlink(self.place, f"{self.directory}/.tdp-01234567")
        with open(f"{self.place}/precious", "w", encoding="ascii"):
            pass
        before = sorted(os.listdir(self.directory))
        with capturedLogs() as events:
            remove_leftovers(self.directory)
        self.assertEqual(sorted(os.listdir(self.directory)), before)
        self.assertEqual(os.listdir(self.place), ["precious"])
        self.assertEqual(len(events), 1)  # of the link

    def test_no_directory(self) -> None:
        """It may not be there yet."""
        remove_leftovers(f"{self.directory}/none")
        remove_leftovers(self.directory, f"{self.directory}/none")

    def test_no_directory_at_all(self) -> None:
        """What cannot be listed is told, and nothing else happens."""
        path = f"{self.directory}/file"
        with open(path, "w", encoding="ascii"):
            pass
        with capturedLogs() as events:
            remove_leftovers(path)
        self.assertEqual([event["path"] for event in events], [path])
