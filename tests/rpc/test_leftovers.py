"""Tests for twistdp.rpc.leftovers."""

import os
import shutil
import socket
import subprocess
from typing import Any

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from tests.support.users import ALICE, NEEDS_ROOT, acting_as
from twistdp.model.names import digest, private_directory
from twistdp.rpc import leftovers
from twistdp.rpc.leftovers import remove_leftovers
from twistdp.rpc.socketfile import SocketFile


class LeftoverTests(SynchronousTestCase):
    """A directory with sockets of live servers and of dead ones."""

    def setUp(self) -> None:
        """Make an empty directory, and another place to bind in."""
        self.directory = temporary_directory(self)
        self.place = temporary_directory(self)

    def published(self, name: str, place: str | None = None) -> SocketFile:
        """The socket of a live server."""
        file = SocketFile(f"{self.directory}/{name}", place)
        self.addCleanup(file.release)
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(file.claim())
        file.publish()
        return file

    def killed(self, name: str, place: str | None = None) -> SocketFile:
        """What a killed server leaves: everything but the lock."""
        file = self.published(name, place)
        assert file._lock is not None
        os.close(file._lock)
        file._lock = None
        return file

    def test_dead_ones_are_removed(self) -> None:
        """Names and private directories go, also if a kubelet has deleted the name."""
        self.killed("a.sock")
        os.unlink(self.killed("b.sock").path)
        remove_leftovers(self.directory)
        self.assertEqual(os.listdir(self.directory), [])

    def test_bound_elsewhere(self) -> None:
        """With another place to bind in, both are cleaned."""
        self.killed("a.sock", self.place)
        remove_leftovers(self.directory, self.place)
        self.assertEqual(os.listdir(self.directory) + os.listdir(self.place), [])

    def test_directory_is_gone(self) -> None:
        """A socket bound elsewhere goes, even if the directory of its name is gone."""
        self.killed("a.sock", self.place)
        shutil.rmtree(self.directory)
        remove_leftovers(self.directory, self.place)
        os.mkdir(self.directory)
        self.assertEqual(os.listdir(self.place), [])

    def test_killed_before_it_had_bound(self) -> None:
        """An empty private directory goes; a name that leads to something else stays."""
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
        """Sockets, files and directories stay that no server of ours has made."""
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
        """A directory that is not there yet is fine."""
        remove_leftovers(f"{self.directory}/none")
        remove_leftovers(self.directory, f"{self.directory}/none")

    def test_no_directory_at_all(self) -> None:
        """A path that cannot be listed is logged, and nothing else happens."""
        path = f"{self.directory}/file"
        with open(path, "w", encoding="ascii"):
            pass
        with capturedLogs() as events:
            remove_leftovers(path)
        self.assertEqual([event["path"] for event in events], [path])

    def kept(self) -> list[str]:
        """The log lines of a removal that must leave everything."""
        before = sorted(os.listdir(self.directory))
        with capturedLogs() as events:
            remove_leftovers(self.directory)
        self.assertEqual(sorted(os.listdir(self.directory)), before)
        return [f"{event['path']}: {event['reason']}" for event in events]

    def test_more_than_a_socket(self) -> None:
        """A private directory that holds more than its socket stays, however deep that is."""
        private = f"{self.directory}/.tdp-01234567"
        os.mkdir(private, 0o700)
        self.addCleanup(subprocess.run, ["rm", "-rf", private], check=True)  # Python cannot
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(private)
        for _ in range(1500):  # deeper than a call may be, and than a path may be long
            os.mkdir("d")
            os.chdir("d")
        os.chdir(here)
        self.assertEqual(self.kept(), [f"{private}: has 'd' in it"])

    def test_another_mode(self) -> None:
        """A directory that others may read or write is not ours."""
        private = private_directory(f"{self.directory}/a.sock")
        os.mkdir(private)
        os.chmod(private, 0o755)
        (line,) = self.kept()
        self.assertIn("mode 0755", line)

    def test_many(self) -> None:
        """The log has one line, however many there are."""
        for number in range(50):
            os.mkdir(f"{self.directory}/.tdp-{number:08x}")
            os.chmod(f"{self.directory}/.tdp-{number:08x}", 0o777)
        (line,) = self.kept()
        self.assertTrue(line.endswith("; 49 more there cannot be removed either"), line)

    def test_untrusted_directory(self) -> None:
        """Nothing is removed where others can exchange entries, and that is logged."""
        self.killed("a.sock")
        os.chmod(self.directory, 0o777)
        (line,) = self.kept()
        self.assertIn("others may write", line)

    def test_huge_directory(self) -> None:
        """Only the first entries are examined."""
        self.patch(leftovers, "MOST_ENTRIES", 3)
        for number in range(20):
            self.killed(f"{number}.sock")
        remove_leftovers(self.directory)
        self.assertGreaterEqual(len(os.listdir(self.directory)), 34)

    def test_exchanged_while_it_is_cleaned(self) -> None:
        """Only the directory that was examined loses entries, whatever has its name now."""
        self.killed("a.sock")
        live = temporary_directory(self)
        os.rmdir(live)
        remove = leftovers._remove

        def exchange(*arguments: Any) -> None:
            os.rename(self.directory, live)
            os.mkdir(self.directory)
            for name in (".tdp-" + digest("a.sock"), "a.sock"):
                os.mkdir(f"{self.directory}/{name}", 0o700)
            remove(*arguments)

        self.patch(leftovers, "_remove", exchange)
        remove_leftovers(self.directory)
        self.assertEqual(len(os.listdir(self.directory)), 2)
        self.assertEqual(os.listdir(live), [])


class OthersTests(SynchronousTestCase):
    """Another user, for real, in a sticky directory."""

    skip = NEEDS_ROOT

    def test_private_directory_of_another(self) -> None:
        """It stays with its content; one line names the user."""
        directory = temporary_directory(self)
        os.chmod(directory, 0o1777)
        with acting_as(ALICE):
            os.makedirs(f"{directory}/.tdp-01234567/d")
            os.chmod(f"{directory}/.tdp-01234567", 0o700)
        with capturedLogs() as events:
            remove_leftovers(directory)
        self.assertTrue(os.path.isdir(f"{directory}/.tdp-01234567/d"))
        self.assertEqual(
            [event["reason"] for event in events], [f"it belongs to user {ALICE} and has mode 0700"]
        )
