"""Tests for `twistdp.host.trust`, on real directories of several users."""

import errno
import os
import shutil
import socket
import stat
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextlib import suppress as tolerate
from pathlib import Path
from unittest import SkipTest

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from tests.support.users import ALICE, ALICES_GROUP, BOB, NEEDS_ROOT, acting_as, given_to
from twistdp.errors import Untrusted
from twistdp.host import trust
from twistdp.host.trust import (
    check_directory,
    check_file,
    check_ownership,
    check_server,
    make_directory,
    peer_of,
)

_USER, _GROUP, _NOBODY = 2, 8, 0xFFFFFFFF
"""Tags of entries of access control lists, and the id of one that names nobody."""


class TrustCase(SynchronousTestCase):
    """A directory of ours in /tmp, and servers in it."""

    def setUp(self) -> None:
        """Make the directory, which others may look into."""
        self.directory = temporary_directory(self)
        os.chmod(self.directory, 0o755)

    def made(self, name: str, uid: int = 0, mode: int = 0o755, gid: int = 0) -> str:
        """A directory of that user."""
        path = os.path.join(self.directory, name)
        os.makedirs(path)
        return given_to(path, uid, mode, gid)

    def serving(self, path: str, backlog: int = 5) -> socket.socket:
        """A socket that is listened on."""
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        server.bind(path)
        server.listen(backlog)
        return server


class OwnTests(TrustCase):
    """Tests that need no other user."""

    def test_temporary_directory(self) -> None:
        """A directory of ours in /tmp, which is sticky, and all in it, is safe."""
        check_ownership(self.directory)
        check_directory(self.directory)
        os.mkdir(f"{self.directory}/x")
        check_directory(f"{self.directory}/x")

    def test_system_directories(self) -> None:
        """Directories of the system are, also through a link such as /var/run."""
        for path in ("/", "/usr/lib", "/etc/..", "//usr/./lib//"):
            check_directory(path)

    def test_relative_path(self) -> None:
        """A relative path begins in the working directory, all parts of which are looked at."""
        self.addCleanup(os.chdir, os.getcwd())
        os.mkdir(f"{self.directory}/x", 0o700)
        os.chdir(f"{self.directory}/x")
        check_directory(".")
        os.chmod(self.directory, 0o777)
        self.assertRaises(Untrusted, check_ownership, ".")

    def test_others_may_write(self) -> None:
        """A directory that others may write to is named, with owner, mode and what to do."""
        os.mkdir(f"{self.directory}/x")
        os.chmod(self.directory, 0o757)
        error = self.assertRaises(Untrusted, check_ownership, f"{self.directory}/x")
        uid, gid = os.geteuid(), os.stat(self.directory).st_gid
        self.assertEqual(
            str(error),
            f"{self.directory}/x cannot be trusted: others may write in {self.directory} "
            f"(user {uid}, group {gid}, mode 0757); chmod go-w {self.directory}",
        )
        os.chmod(self.directory, 0o755)
        check_ownership(f"{self.directory}/x")

    def test_sticky(self) -> None:
        """A sticky directory is safe on the way, but not where all that is in it is read."""
        os.chmod(self.directory, 0o1777)
        check_ownership(self.directory)
        self.assertRaises(Untrusted, check_directory, self.directory)
        os.mkdir(f"{self.directory}/x")
        check_directory(f"{self.directory}/x")

    def test_through_links(self) -> None:
        """Links are followed, absolute, relative and several, and each target is looked at."""
        os.makedirs(f"{self.directory}/bad/x")
        os.chmod(f"{self.directory}/bad", 0o777)
        os.mkdir(f"{self.directory}/good")
        for target in (f"{self.directory}/bad/x", "bad/x", "../" * 9 + f"{self.directory}/bad/x"):
            os.symlink(target, f"{self.directory}/link")
            os.symlink("./link", f"{self.directory}/good/../second")
            error = self.assertRaises(Untrusted, check_ownership, f"{self.directory}/second")
            self.assertIn(f"others may write in {self.directory}/bad (", str(error))
            os.unlink(f"{self.directory}/link")
            os.unlink(f"{self.directory}/second")
        os.symlink("good", f"{self.directory}/link")
        check_directory(f"{self.directory}/link")
        # The way leads through it, though the target is elsewhere.
        self.assertRaises(Untrusted, check_ownership, f"{self.directory}/bad/../good")

    def test_link_to_the_root(self) -> None:
        """A link whose target has no name of its own."""
        os.symlink("/", f"{self.directory}/link")
        check_directory(f"{self.directory}/link")
        os.symlink("..", f"{self.directory}/up")
        self.assertRaises(Untrusted, check_directory, f"{self.directory}/up")  # /tmp

    def test_file(self) -> None:
        """A file is safe unless others may write to it, or in its directory, also behind a link."""
        path = f"{self.directory}/x/f"
        os.mkdir(os.path.dirname(path))
        with open(path, "w", encoding="ascii"):
            pass
        os.symlink("x/f", f"{self.directory}/link")
        for name in (path, f"{self.directory}/link"):
            check_file(name)
            os.chmod(path, 0o646)
            error = self.assertRaises(Untrusted, check_file, name)
            self.assertEqual(
                str(error),
                f"{name} cannot be trusted: others may write to {path} (user {os.geteuid()}, "
                f"mode 0646); chmod go-w {path}",
            )
            os.chmod(path, 0o644)
            os.chmod(os.path.dirname(path), 0o777)
            self.assertRaises(Untrusted, check_file, name)
            os.chmod(os.path.dirname(path), 0o755)
        self.assertRaises(FileNotFoundError, check_file, f"{path}.absent")

    def test_no_end(self) -> None:
        """Links in a circle, a missing part and a file on the way are errors of the system."""
        os.symlink("b", f"{self.directory}/a")
        os.symlink("a", f"{self.directory}/b")
        error = self.assertRaises(OSError, check_ownership, f"{self.directory}/a")
        self.assertEqual(error.errno, errno.ELOOP)
        self.assertRaises(FileNotFoundError, check_ownership, f"{self.directory}/c/d")
        self.assertRaises(NotADirectoryError, check_ownership, "/etc/passwd/x")

    def test_own_server(self) -> None:
        """A server of ours is trusted, even if everybody may connect to it."""
        path = f"{self.directory}/s"
        self.serving(path)
        os.chmod(path, 0o777)
        check_server(path)
        self.assertEqual(peer_of(path), (os.getpid(), os.geteuid(), os.getegid(), True))

    def test_no_server(self) -> None:
        """Nobody there, in each way."""
        path = f"{self.directory}/s"
        self.assertRaises(FileNotFoundError, check_server, path)
        self.serving(path).close()
        self.assertRaises(ConnectionRefusedError, check_server, path)
        os.unlink(path)
        with open(path, "w", encoding="ascii"):
            pass
        self.assertRaises(ConnectionRefusedError, check_server, path)

    def test_full_queue(self) -> None:
        """A server whose queue is full is not waited for, and it is not known who it is."""
        path = f"{self.directory}/s"
        self.serving(path, backlog=0)
        with tolerate(BlockingIOError):
            while True:
                client = socket.socket(socket.AF_UNIX)
                self.addCleanup(client.close)
                client.setblocking(False)
                client.connect(path)
        self.assertRaises(BlockingIOError, check_server, path)

    def test_no_descriptor_is_left(self) -> None:
        """Neither a peer that is found nor one that is not leaves a descriptor open."""
        path = f"{self.directory}/s"
        before = os.listdir("/proc/self/fd")
        server = self.serving(path)
        check_server(path)
        server.close()
        self.assertRaises(ConnectionRefusedError, check_server, path)
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(before))


# Parts of a path from the outside to the inside, as (user, mode, group), and which one is
# refused; None: none.
CASES: Sequence[tuple[str, Sequence[tuple[int, int, int]], int | None]] = (
    ("root's", [(0, 0o755, 0), (0, 0o700, 0)], None),
    ("the group root may write", [(0, 0o775, 0), (0, 0o770, 0)], None),
    ("root's, another group's to read", [(0, 0o755, ALICES_GROUP)], None),
    ("another group may write", [(0, 0o775, ALICES_GROUP), (0, 0o755, 0)], 0),
    ("everybody may write", [(0, 0o777, 0), (0, 0o755, 0)], 0),
    ("everybody may write, though others may not look", [(0, 0o702, 0)], 0),
    ("the last one only", [(0, 0o755, 0), (0, 0o777, 0)], 1),
    ("sticky, root's in it", [(0, 0o1777, 0), (0, 0o755, 0)], None),
    ("sticky for a group, root's in it", [(0, 0o1775, ALICES_GROUP), (0, 0o755, 0)], None),
    ("sticky, another's in it", [(0, 0o1777, 0), (ALICE, 0o755, 0)], 1),
    ("another's in root's", [(0, 0o755, 0), (ALICE, 0o755, 0)], 1),
    ("another's, which only root may write", [(ALICE, 0o555, 0)], 0),
    ("another's, on the way to root's", [(ALICE, 0o700, 0), (0, 0o755, 0)], 0),
    ("another's, sticky", [(ALICE, 0o1777, 0), (0, 0o755, 0)], 0),
)


class OthersTests(TrustCase):
    """Several users."""

    skip = NEEDS_ROOT

    def test_file_of_a_user(self) -> None:
        """A file of another user, or in a directory of theirs, is not safe."""
        for uid_of_file, uid_of_directory in ((ALICE, 0), (0, ALICE)):
            path = f"{self.made(str(uid_of_file), uid_of_directory)}/f"
            with open(path, "w", encoding="ascii"):
                pass
            check_file("/etc/passwd")
            given_to(path, uid_of_file, 0o644)
            self.assertIn(
                f"belongs to user {ALICE}", str(self.assertRaises(Untrusted, check_file, path))
            )

    def test_hard_link(self) -> None:
        """A file in a sticky directory may be a hard link of a user's to any file of root's."""
        path = f"{self.directory}/f"
        with open(path, "w", encoding="ascii"):
            pass
        sticky = self.made("sticky", mode=0o1777)
        os.link(path, f"{sticky}/f")
        check_file(path)
        error = self.assertRaises(Untrusted, check_file, f"{sticky}/f")
        self.assertIn(f"others may write in {sticky} ", str(error))
        os.unlink(path)
        check_file(f"{sticky}/f")

    def test_link_made_meanwhile(self) -> None:
        """A user who is faster in a sticky directory does not decide where directories are made."""
        shared = self.made("shared", mode=0o1777)
        elsewhere = self.made("elsewhere")
        make = os.mkdir

        def late(path: str, mode: int = 0o777) -> None:
            with tolerate(FileExistsError), acting_as(ALICE):
                os.symlink(elsewhere, f"{shared}/a")
            make(path, mode)

        self.patch(os, "mkdir", late)
        error = self.assertRaises(Untrusted, make_directory, f"{shared}/a/b/c")
        self.assertIn(f"{shared}/a belongs to user {ALICE}", str(error))
        self.assertEqual(os.listdir(elsewhere), [])

    def test_made(self) -> None:
        """Directories that are missing are made, and one that is there stays."""
        shared = self.made("shared", mode=0o1777)
        for _ in range(2):
            make_directory(f"{shared}/a/b/c")
        self.assertEqual(stat.S_IMODE(os.stat(f"{shared}/a/b").st_mode), 0o755)

    def test_read_only_mount(self) -> None:
        """The mode of a directory mounted read-only does not count, but its owner does.

        Modes of what is in it count: in the systemd unit everything is read-only.
        """
        directory = self.made("a place", mode=0o777)
        inside = self.made("a place/inside", mode=0o777)
        for name, uid, mode in (
            (f"{directory}/roots", 0, 0o644),
            (f"{directory}/open", 0, 0o666),
            (f"{directory}/alices", ALICE, 0o644),
            (f"{inside}/roots", 0, 0o644),
        ):
            with open(name, "w", encoding="ascii"):
                pass
            given_to(name, uid, mode)
        self.assertRaises(Untrusted, check_file, f"{directory}/roots")
        for options in (["--bind"], ["-o", "remount,bind,ro"]):
            mounted = subprocess.run(
                ["mount", *options, directory, directory], capture_output=True, check=False
            )
            if mounted.returncode != 0:
                raise SkipTest(f"cannot mount: {mounted.stderr.decode().strip()}")
            if "--bind" in options:
                self.addCleanup(subprocess.run, ["umount", directory], check=True)
        check_file(f"{directory}/roots")
        for path, reason in (
            (f"{directory}/open", f"others may write to {directory}/open "),
            (f"{directory}/alices", f"belongs to user {ALICE}"),
            (f"{inside}/roots", f"others may write in {inside} "),
        ):
            self.assertIn(reason, str(self.assertRaises(Untrusted, check_file, path)))

    def test_directories(self) -> None:
        """The first part that is wrong is named, and the same path through a link is judged so."""
        for what, parts, refused in CASES:
            paths = [self.directory]
            for number in range(len(parts)):
                paths.append(os.path.join(paths[-1], str(number)))
                os.mkdir(paths[-1])
            for path, (uid, mode, gid) in zip(paths[1:], parts, strict=True):
                given_to(path, uid, mode, gid)
            link = f"{self.directory}/link"
            os.symlink(paths[-1], link)
            for path in (paths[-1], link):
                if refused is None:
                    check_ownership(path)
                else:
                    error = self.assertRaises(Untrusted, check_ownership, path)
                    self.assertIn(f" {paths[refused + 1]} ", str(error), what)
                    self.assertIn(f"user {parts[refused][0]}", str(error), what)
                    self.assertIn(f"mode {parts[refused][1]:04o}", str(error), what)
            os.unlink(link)
            shutil.rmtree(paths[1])

    def test_access_control_lists(self) -> None:
        """A list counts that lets others write in a directory of root's group."""
        path = self.made("d", mode=0o775)
        for tag, id_, rights, is_safe in (
            (_USER, ALICE, 7, False),
            (_GROUP, ALICES_GROUP, 3, False),
            (_USER, ALICE, 5, True),
            (_USER, 0, 7, True),
            (_GROUP, 0, 7, True),
        ):
            parts = [(1, 7, _NOBODY), (4, 5, _NOBODY), (16, 7, _NOBODY), (32, 5, _NOBODY)]
            parts = sorted([*parts, (tag, rights, id_)])
            acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *part) for part in parts)
            try:
                os.setxattr(path, "system.posix_acl_access", acl)
            except OSError as fault:
                raise SkipTest(f"no access control lists in {path}: {fault.strerror}") from fault
            if tag == _USER and id_ == ALICE:
                with acting_as(ALICE):  # the list means what it is taken for
                    self.assertEqual(os.access(path, os.W_OK, effective_ids=True), not is_safe)
            if is_safe:
                check_ownership(path)
                continue
            error = self.assertRaises(Untrusted, check_ownership, path)
            self.assertIn(f"others may write in {path}", str(error))
            os.chmod(path, 0o755)  # which the message advises
            check_ownership(path)

    def test_links(self) -> None:
        """A link is refused for its owner before it is followed, and root's is followed."""
        sticky = self.made("sticky", mode=0o1777)
        target = self.made("target")
        os.symlink(target, f"{sticky}/link")
        check_directory(f"{sticky}/link")
        given_to(f"{sticky}/link", ALICE, 0o777)
        error = self.assertRaises(Untrusted, check_ownership, f"{sticky}/link")
        self.assertIn(f"{sticky}/link belongs to user {ALICE} (mode 0777)", str(error))

    def test_us(self) -> None:
        """Our own files are as good as root's, but only for us."""
        ours = self.made("ours", uid=ALICE, mode=0o755)
        os.mkdir(f"{ours}/x")
        with acting_as(ALICE):
            check_directory(f"{ours}/x")
        with acting_as(BOB):
            self.assertRaises(Untrusted, check_directory, f"{ours}/x")
        self.assertRaises(Untrusted, check_directory, f"{ours}/x")

    def test_servers(self) -> None:
        """The process that called listen(2) must be root's or ours, whatever the socket's owner."""
        path = f"{self.made('x', mode=0o1777)}/s"
        with acting_as(ALICE):
            self.serving(path)
            check_server(path)
        error = self.assertRaises(Untrusted, check_server, path)
        self.assertIn(f"{path} belongs to user {ALICE}", str(error))
        given_to(path, 0, 0o777)
        error = self.assertRaises(Untrusted, check_server, path)
        self.assertIn(f"process {os.getpid()} of user {ALICE} listens there", str(error))
        self.assertIn("our own user's (0); end that process", str(error))
        os.unlink(path)
        self.serving(path)
        os.chmod(path, 0o777)
        with acting_as(ALICE):
            check_server(path)  # root's

    def test_a_server_of_an_unknown_user(self) -> None:
        """A user whom the user namespace does not have is not taken for a user of the node."""
        path = f"{self.made('x', mode=0o1777)}/s"
        with acting_as(trust._UNKNOWN):
            self.serving(path)
        given_to(path, 0, 0o777)
        for users, advice in (
            ("0 0 4294967295", "end that process"),
            ("0 100000 65536", "without hostUsers: false or PrivateUsers=yes"),
            (None, "end that process"),
        ):
            file = os.path.join(self.directory, "uid_map")
            if users is None:
                os.unlink(file)
            else:
                Path(file).write_text(f"{users}\n", encoding="ascii")
            self.patch(trust, "_USERS", file)
            self.assertIn(advice, str(self.assertRaises(Untrusted, check_server, path)))

    def test_a_root_only_server(self) -> None:
        """If we may not connect, the system's error is raised."""
        path = f"{self.directory}/s"
        self.serving(path)
        os.chmod(path, 0o600)
        with acting_as(ALICE):
            self.assertRaises(PermissionError, check_server, path)


OWNERS = st.sampled_from([0, 0, ALICE, BOB])
GROUPS = st.sampled_from([0, ALICES_GROUP])
MODES = st.sampled_from([0o755, 0o755, 0o711, 0o775, 0o777, 0o757, 0o1777, 0o1775, 0o1755, 0o2775])
PARTS = st.tuples(OWNERS, GROUPS, MODES, st.booleans())
"""A directory, and whether a link leads to it."""


@contextmanager
def world(parts: Sequence[tuple[int, int, int, bool]]) -> Iterator[tuple[str, list[str]]]:
    """A file behind these directories: its path, and all places that decide what it is."""
    top = os.path.realpath(tempfile.mkdtemp(prefix="tdp-"))
    try:
        os.chmod(top, 0o755)
        path, places = top, []
        for number, (uid, gid, mode, linked) in enumerate(parts):
            real = os.path.join(path, f"d{number}")
            os.mkdir(real)
            places.append((real, uid, gid, mode))
            path = real
            if linked:
                path = f"{real}.link"
                os.symlink(f"d{number}", path)
                places.append((path, uid, gid, 0o777))
        file = os.path.join(path, "file")
        with open(file, "w", encoding="ascii"):
            pass
        for place, uid, gid, mode in places[::-1]:
            given_to(place, uid, mode, gid)
        yield file, [*(place for place, *_ in places), file]
    finally:
        shutil.rmtree(top)


def attack(places: Sequence[str]) -> str | None:
    """Do as the present user what changes what one of the places is; which one, if any."""
    for place in places:
        with tolerate(OSError):
            os.rename(place, f"{place}.away")
            return f"renamed {place}"
        with tolerate(OSError):
            os.chmod(place, stat.S_IMODE(os.stat(place).st_mode), follow_symlinks=True)
            return f"changed the mode of {place}"
    return None


class AttackTests(SynchronousTestCase):
    """The judgement holds against a user who tries."""

    skip = NEEDS_ROOT

    @settings(max_examples=150)
    @given(st.lists(PARTS, min_size=1, max_size=4))
    def test_what_is_trusted_cannot_be_changed(
        self, parts: list[tuple[int, int, int, bool]]
    ) -> None:
        """Another user can change some part of just those paths that are refused.

        Or of none, where another part than the one that is refused keeps that user out.
        """
        with world(parts) as (path, places):
            try:
                check_ownership(path)
                trusted = True
            except Untrusted:
                trusted = False
            done = None
            for uid, gid in ((ALICE, ALICES_GROUP), (BOB, BOB)):
                with acting_as(uid, gid):
                    done = done or attack(places)
            if trusted:
                self.assertIsNone(done, (parts, path))
            elif all(mode & 0o055 == 0o055 for _, _, mode, _ in parts):
                self.assertIsNotNone(done, (parts, path))
