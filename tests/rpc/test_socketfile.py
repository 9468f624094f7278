"""Tests for twistdp.rpc.socketfile."""

import errno
import fcntl
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from tests.support.users import ALICE, NEEDS_ROOT, acting_as, given_to
from twistdp.errors import SocketTaken, Untrusted
from twistdp.host import trust
from twistdp.host.trust import peer_of
from twistdp.rpc import socketfile
from twistdp.rpc.leftovers import remove_leftovers
from twistdp.rpc.socketfile import SocketFile, listener


class SocketFileCase(SynchronousTestCase):
    """A directory, and sockets in it."""

    def setUp(self) -> None:
        """Choose the socket's path."""
        self.directory = temporary_directory(self)
        self.path = f"{self.directory}/a.sock"

    def bound(self, path: str, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A socket that listens, as far as its kind can."""
        bound = socket.socket(socket.AF_UNIX, kind)
        self.addCleanup(bound.close)
        bound.bind(path)
        if kind != socket.SOCK_DGRAM:
            bound.listen(1)
        return bound

    def claimed(self) -> SocketFile:
        """A claimed file whose socket is bound."""
        file = SocketFile(self.path)
        self.addCleanup(file.release)
        self.bound(file.claim())
        return file


class ClaimTests(SocketFileCase):
    """Tests for `SocketFile.claim` and `SocketFile.release`."""

    def test_private_directory_is_beside_the_name(self) -> None:
        """The place to bind is in a hidden directory of the same file system, mode 0700."""
        file = SocketFile(self.path)
        self.addCleanup(file.release)
        bound = file.claim()
        self.assertEqual(os.path.dirname(file.private), self.directory)
        self.assertEqual(os.path.dirname(bound), file.private)
        self.assertTrue(os.path.basename(file.private).startswith("."))
        self.assertEqual(stat.S_IMODE(os.lstat(file.private).st_mode), 0o700)

    def test_claimed_by_another(self) -> None:
        """The second claim is refused, also before the first one's socket is bound."""
        first, second = SocketFile(self.path), SocketFile(self.path)
        self.addCleanup(first.release)
        self.addCleanup(second.release)
        bound = first.claim()
        error = self.assertRaises(SocketTaken, second.claim)
        self.assertEqual(error.pid, 0)
        self.assertNotIn("process 0", str(error))
        self.bound(bound)
        error = self.assertRaises(SocketTaken, second.claim)
        self.assertEqual(error.pid, os.getpid())
        first.release()
        second.claim()

    def test_removed_while_it_is_claimed(self) -> None:
        """A private directory that vanishes just before it is locked is noticed."""
        file = SocketFile(self.path)
        lock = fcntl.flock

        def late(descriptor: int, operation: int) -> None:
            shutil.rmtree(file.private)
            lock(descriptor, operation)

        patch = self.patch(fcntl, "flock", late)
        self.assertRaises(FileNotFoundError, file.claim)
        patch.restore()
        self.bound(file.claim())
        self.addCleanup(file.release)
        self.assertTrue(file.is_bound())

    def test_link_instead_of_a_socket(self) -> None:
        """A link in the place of the socket goes, and its target stays."""
        file = SocketFile(self.path)
        self.addCleanup(file.release)
        victim = temporary_directory(self)
        os.mkdir(file.private, 0o700)
        os.symlink(victim, file.bound)
        file.claim()
        self.assertFalse(os.path.lexists(file.bound))
        self.assertTrue(os.path.isdir(victim))

    def test_lock_that_only_children_hold(self) -> None:
        """The private directory is replaced, and only its lock stays open."""
        first, second = SocketFile(self.path), SocketFile(self.path)
        self.addCleanup(first.release)
        self.addCleanup(second.release)
        first.claim()
        self.patch(socketfile, "is_abandoned", lambda _: True)
        before = len(os.listdir("/proc/self/fd"))
        second.claim()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before + 1)

    def test_lock_is_kept_from_children(self) -> None:
        """A child would hold the lock for as long as it lives."""
        kept: list[SocketFile] = []
        self.patch(socketfile, "keep_from_children", kept.append)
        file = SocketFile(self.path)
        self.addCleanup(file.release)
        self.assertEqual(kept, [file])
        self.assertEqual(tuple(file.descriptors()), ())
        file.claim()
        (lock,) = file.descriptors()
        self.assertEqual(os.readlink(f"/proc/self/fd/{lock}"), file.private)

    def test_claim_again(self) -> None:
        """Claiming again starts over."""
        file = self.claimed()
        file.claim()
        self.assertEqual(os.listdir(file.private), [])

    def test_no_descriptor_is_left(self) -> None:
        """Neither a refused nor a released claim leaves a descriptor open."""
        before = os.listdir("/proc/self/fd")
        first, second = SocketFile(self.path), SocketFile(self.path)
        first.claim()
        self.assertRaises(SocketTaken, second.claim)
        first.release()
        shutil.rmtree(self.directory)
        self.assertRaises(FileNotFoundError, first.claim)
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(before))

    def test_release_without_a_claim(self) -> None:
        """Releasing without a claim takes nothing from the owner."""
        file = self.claimed()
        SocketFile(self.path).release()
        self.assertTrue(os.path.isdir(file.private))

    def test_symlink_is_not_followed(self) -> None:
        """A link where the private directory should be is refused; its target is kept."""
        victim = temporary_directory(self)
        with open(f"{victim}/precious", "w"):
            pass
        file = SocketFile(self.path)
        os.symlink(victim, file.private)
        self.assertEqual(self.assertRaises(SocketTaken, file.claim).pid, 0)
        self.assertEqual(os.listdir(victim), ["precious"])
        file.release()
        self.assertEqual(os.listdir(victim), ["precious"])

    def test_release_leaves_anothers_private_directory(self) -> None:
        """Releasing leaves a private directory that another server has made meanwhile."""
        first = self.claimed()
        shutil.rmtree(first.private)
        second = self.claimed()
        first.release()
        self.assertTrue(second.is_bound())
        self.assertTrue(os.path.lexists(second.bound))

    def test_anothers_socket_is_not_ours(self) -> None:
        """A socket that another server has bound in its place is not published by us."""
        first = self.claimed()
        shutil.rmtree(first.private)
        second = self.claimed()
        self.assertTrue(second.is_bound())
        self.assertFalse(first.is_bound())


class PublishTests(SocketFileCase):
    """Tests for `SocketFile.publish` and what undoes it."""

    def test_publish(self) -> None:
        """The name is another link to the bound socket, mode 0600."""
        file = self.claimed()
        self.assertTrue(file.is_bound())
        self.assertFalse(file.is_published())
        file.publish()
        self.assertTrue(file.is_published())
        self.assertTrue(os.path.samefile(self.path, file.bound))
        self.assertEqual(stat.S_IMODE(os.lstat(self.path).st_mode), 0o600)
        file.publish()
        self.assertTrue(file.is_published())

    def test_withdraw(self) -> None:
        """Withdrawing removes the name and not the socket; doing it twice is fine."""
        file = self.claimed()
        file.publish()
        file.withdraw()
        file.withdraw()
        self.assertFalse(os.path.lexists(self.path))
        self.assertTrue(file.is_bound())
        os.link(file.bound, self.path)  # by another process
        self.assertFalse(file.is_published())

    def test_withdraw_leaves_anothers_name(self) -> None:
        """A name that leads to another file is not removed."""
        file = self.claimed()
        file.publish()
        os.unlink(self.path)
        self.bound(self.path)
        file.withdraw()
        self.assertTrue(os.path.lexists(self.path))

    def test_forget(self) -> None:
        """A forgotten name stays."""
        file = self.claimed()
        file.publish()
        file.forget()
        file.withdraw()
        self.assertTrue(os.path.lexists(self.path))

    def test_live_listener(self) -> None:
        """A name with a listener stays, and the error has its pid."""
        self.bound(self.path)
        error = self.assertRaises(SocketTaken, self.claimed().publish)
        self.assertEqual(error.pid, os.getpid())
        self.assertIsNotNone(listener(self.path))

    def test_who_is_there(self) -> None:
        """The text says who serves the resource, as far as that is known."""
        file = self.claimed()
        self.bound(self.path)
        for pid, words in (
            (os.getpid(), f"this process ({os.getpid()}) serves"),
            (1, "process 1 serves"),
            (0, "another process serves"),
        ):
            self.patch(socketfile, "listener", lambda _, pid=pid: pid)
            self.assertIn(words, str(self.assertRaises(SocketTaken, file.publish)))
        other = SocketFile(self.path)
        self.patch(socketfile, "listener", lambda _: None)
        error = self.assertRaises(SocketTaken, other.claim)
        self.assertIn("a server that has not ended yet serves", str(error))
        self.assertEqual(error.pid, 0)

    def test_name_that_vanishes(self) -> None:
        """A dead name that another process removes first is fine."""
        file = self.claimed()
        file._remove_dead()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(self.path)
        file._remove_dead()
        self.assertFalse(os.path.lexists(self.path))

    def test_two_file_systems(self) -> None:
        """A name on another file system than the socket's is refused, with what to do."""
        file = self.claimed()

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EXDEV, "Invalid cross-device link")

        patch = self.patch(os, "link", refuse)
        error = self.assertRaises(OSError, file.publish)
        patch.restore()
        self.assertIn("must be on one mounted file system", str(error))
        self.assertFalse(file.is_published())

    def test_live_listener_with_a_full_backlog(self) -> None:
        """A listener too busy to accept is alive, though its pid is hidden."""
        bound = self.bound(self.path)
        clients = []
        while True:
            client = socket.socket(socket.AF_UNIX)
            clients.append(client)
            self.addCleanup(client.close)
            client.setblocking(False)
            try:
                client.connect(self.path)
            except BlockingIOError:
                break
        error = self.assertRaises(SocketTaken, self.claimed().publish)
        self.assertEqual(error.pid, 0)
        self.assertTrue(os.path.lexists(self.path))
        self.assertNotEqual(bound.fileno(), -1)

    def test_live_sockets_of_other_kinds(self) -> None:
        """A datagram or packet socket in use is not removed either."""
        file = self.claimed()
        for kind in (socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
            bound = self.bound(self.path, kind)
            before = os.lstat(self.path).st_ino
            self.assertRaises(SocketTaken, file.publish)
            self.assertEqual(os.lstat(self.path).st_ino, before)
            bound.close()
            os.unlink(self.path)

    def test_dead_socket(self) -> None:
        """A name that nobody listens on is replaced."""
        self.bound(self.path).close()
        file = self.claimed()
        file.publish()
        self.assertTrue(file.is_published())

    def test_no_socket(self) -> None:
        """A file, a directory, a link to a live socket are refused and stay."""
        live = f"{self.directory}/live"
        self.bound(live)
        file = self.claimed()
        for make in (
            lambda: open(self.path, "w").close(),
            lambda: os.mkdir(self.path),
            lambda: os.symlink(live, self.path),
            lambda: os.symlink("nowhere", self.path),
        ):
            make()
            before = os.lstat(self.path)
            error = self.assertRaises(SocketTaken, file.publish)
            self.assertIn("is not a socket", str(error))
            self.assertEqual(error.pid, 0)
            self.assertTrue(os.path.samestat(before, os.lstat(self.path)))
            if stat.S_ISDIR(before.st_mode):
                os.rmdir(self.path)
            else:
                os.unlink(self.path)


class ListenerTests(SocketFileCase):
    """Tests for `listener`."""

    def test_pid(self) -> None:
        """A listening socket has its process."""
        self.bound(self.path)
        self.assertEqual(listener(self.path), os.getpid())

    def test_nobody(self) -> None:
        """A dead socket and a missing one have no listener."""
        self.assertIsNone(listener(self.path))
        self.bound(self.path).close()
        self.assertIsNone(listener(self.path))


_OWNER = """\
import ctypes, os, signal, socket, sys
from twistdp.rpc.socketfile import SocketFile
file, bound = SocketFile(sys.argv[1]), socket.socket(socket.AF_UNIX)
bound.bind(file.claim())
bound.listen()
file.publish()
child = ctypes.CDLL(None).fork()
if child:
    print(child, flush=True)
signal.pause()
"""


class DeadOwnerTests(SocketFileCase):
    """A process has ended, but a child that a library forked has its open files."""

    def setUp(self) -> None:
        """Start such a process."""
        super().setUp()
        command = [sys.executable, "-c", _OWNER, self.path]
        self.owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.owner.stdout is not None
        self.addCleanup(self.owner.stdout.close)
        self.addCleanup(self.owner.wait)
        self.addCleanup(self.owner.kill)
        child = int(self.owner.stdout.readline())
        self.addCleanup(os.kill, child, signal.SIGKILL)
        self.file = SocketFile(self.path)
        self.addCleanup(self.file.release)

    def end(self, reaped: bool) -> None:
        """End the process; its parent may not have waited for it yet."""
        self.owner.kill()
        os.waitid(os.P_PID, self.owner.pid, os.WEXITED | os.WNOWAIT)
        if reaped:
            self.owner.wait()

    def take(self) -> None:
        """Claim and publish, as a successor does."""
        self.bound(self.file.claim())
        self.file.publish()
        self.assertEqual(listener(self.path), os.getpid())

    def test_it_lives(self) -> None:
        """The name is its own while it lives."""
        error = self.assertRaises(SocketTaken, self.file.claim)
        self.assertEqual(error.pid, self.owner.pid)

    def test_zombie(self) -> None:
        """A zombie serves nothing."""
        self.end(reaped=False)
        self.take()

    def test_reaped(self) -> None:
        """Nor does a process that is gone."""
        self.end(reaped=True)
        self.assertIsNone(listener(self.path))
        self.take()

    def test_kernel_that_tells_less(self) -> None:
        """Before Linux 6.5 only its pid identifies it."""
        self.patch(trust, "_SO_PEERPIDFD", 32767)
        self.assertEqual(listener(self.path), self.owner.pid)
        self.end(reaped=False)
        self.assertIsNone(listener(self.path))
        self.owner.wait()
        self.take()

    def test_more_than_a_socket_is_left(self) -> None:
        """Nothing is removed recursively, though children have the socket."""
        self.end(reaped=True)
        private = SocketFile(self.path).private
        os.makedirs(f"{private}/x/y")
        self.assertRaises(SocketTaken, SocketFile(self.path).claim)
        remove_leftovers(self.directory)
        self.assertTrue(os.path.isdir(f"{private}/x/y"))

    def test_leftovers(self) -> None:
        """Its leftovers are removed."""
        remove_leftovers(self.directory)
        self.assertIn("a.sock", os.listdir(self.directory))
        self.end(reaped=True)
        remove_leftovers(self.directory)
        self.assertEqual(os.listdir(self.directory), [])


class AttackTests(SocketFileCase):
    """Another user, or an earlier process, has prepared the place."""

    def test_directory_that_others_may_write(self) -> None:
        """Nothing is made, bound or named in it; once its mode is fixed, all works."""
        os.chmod(self.directory, 0o777)
        file = SocketFile(self.path)
        self.addCleanup(file.release)
        error = self.assertRaises(Untrusted, file.claim)
        self.assertIn(f"others may write in {self.directory} ", str(error))
        self.assertEqual(os.listdir(self.directory), [])
        os.chmod(self.directory, 0o755)
        self.bound(file.claim())
        os.chmod(self.directory, 0o777)
        self.assertRaises(Untrusted, file.publish)
        self.assertFalse(os.path.lexists(self.path))
        os.chmod(self.directory, 0o755)
        file.publish()

    def test_something_else_has_the_private_name(self) -> None:
        """A file and links to all sorts of things are refused with their kind, and stay."""
        victim = f"{self.directory}/victim"
        os.mkdir(victim, 0o755)
        file = SocketFile(self.path)
        for make in (
            lambda: open(file.private, "w").close(),
            lambda: os.mkfifo(file.private),
            lambda: os.symlink(victim, file.private),
            lambda: os.symlink("nowhere", file.private),
            lambda: os.symlink("/", file.private),
        ):
            make()
            before = os.lstat(file.private)
            error = self.assertRaises(SocketTaken, file.claim)
            self.assertIn(f"{file.private}, where it is to be made, is a file or link", str(error))
            self.assertIn("remove it", str(error))
            self.assertTrue(os.path.samestat(before, os.lstat(file.private)))
            file.release()
            os.unlink(file.private)
        self.assertEqual(stat.S_IMODE(os.stat(victim).st_mode), 0o755)

    def test_private_directory_of_a_wrong_mode(self) -> None:
        """Our own directory is closed to others; the target of a link in it stays."""
        file = SocketFile(self.path)
        self.addCleanup(file.release)
        victim = f"{self.directory}/victim"
        with open(victim, "w") as opened:
            opened.write("precious")
        for mode in (0o777, 0o000, 0o500):
            os.mkdir(file.private)
            os.symlink(victim, f"{file.private}/s")
            os.chmod(file.private, mode)
            self.bound(file.claim())
            self.assertEqual(os.listdir(file.private), ["s"])
            self.assertEqual(stat.S_IMODE(os.lstat(file.private).st_mode), 0o700)
            file.release()
        with open(victim) as opened:
            self.assertEqual(opened.read(), "precious")

    def test_more_than_a_socket_in_the_private_directory(self) -> None:
        """Anything else in it is not ours and stays."""
        file = SocketFile(self.path)
        for path in ("x/y", "s/y"):
            os.makedirs(f"{file.private}/{path}")
            error = self.assertRaises(SocketTaken, file.claim)
            self.assertIn(f"has {path[0]!r} in it; remove it", str(error))
            os.removedirs(f"{file.private}/{path}")
        os.makedirs(file.private)
        with open(f"{file.private}/y", "w"):
            pass
        self.assertRaises(SocketTaken, file.claim)
        self.assertEqual(os.listdir(file.private), ["y"])

    def test_odd_umask(self) -> None:
        """A umask that would lock us out, or let others in, has no effect."""
        for umask in (0o777, 0o000, 0o077):
            self.addCleanup(os.umask, os.umask(umask))
            file = self.claimed()
            self.assertEqual(stat.S_IMODE(os.lstat(file.private).st_mode), 0o700)
            file.publish()
            self.assertEqual(stat.S_IMODE(os.lstat(self.path).st_mode), 0o600)
            file.withdraw()
            file.release()


class OthersTests(SocketFileCase):
    """Another user, for real."""

    skip = NEEDS_ROOT

    def test_private_directory_of_another(self) -> None:
        """In a sticky directory, another user may have been there first."""
        os.chmod(self.directory, 0o1777)
        file = SocketFile(self.path)
        with acting_as(ALICE):
            os.mkdir(file.private, 0o777)
        error = self.assertRaises(SocketTaken, file.claim)
        self.assertIn(f"is a directory of user {ALICE}; remove it", str(error))
        with acting_as(ALICE):
            os.rmdir(file.private)
        self.bound(file.claim())
        file.publish()
        with acting_as(ALICE):
            # Nor can that user come later.
            for path in (file.private, self.path):
                self.assertRaises(OSError, os.rename, path, f"{path}.away")
            self.assertRaises(PermissionError, os.listdir, file.private)
            self.assertRaises(PermissionError, peer_of, self.path)
        file.withdraw()
        file.release()

    def test_without_root(self) -> None:
        """An ordinary user can serve in a directory of its own, and only there."""
        given_to(self.directory, ALICE, 0o755)
        self.addCleanup(os.umask, os.umask(0o777))
        with acting_as(ALICE):
            file = self.claimed()
            file.publish()
            self.assertEqual(listener(self.path), os.getpid())
            file.withdraw()
            file.release()
        self.assertEqual(os.listdir(self.directory), [])
        given_to(self.directory, 0, 0o755)
        with acting_as(ALICE):
            self.assertRaises(PermissionError, file.claim)
