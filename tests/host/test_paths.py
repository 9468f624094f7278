"""Tests for `twistdp.host.paths`, on real directories of several users."""

import os
import stat
import subprocess
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from tests.support.users import ALICE, ALICES_GROUP, BOB, NEEDS_ROOT, acting_as, given_to
from twistdp import Untrusted, check_trusted
from twistdp.host.paths import HostPaths


class HostPathsCase(SynchronousTestCase):
    """A directory of ours in /tmp."""

    def setUp(self) -> None:
        """Make the directory, which others may look into."""
        self.root = temporary_directory(self)
        os.chmod(self.root, 0o755)

    def directory(self, name: str, mode: int = 0o755) -> str:
        """Make a directory with that mode."""
        path = os.path.join(self.root, name)
        os.mkdir(path)
        os.chmod(path, mode)
        return path

    def file(self, name: str) -> str:
        """Make an empty file."""
        Path(self.root, name).touch(0o644)
        return os.path.join(self.root, name)

    def link(self, name: str, target: str) -> str:
        """Make a link."""
        path = os.path.join(self.root, name)
        os.symlink(target, path)
        return path

    def refused(self, path: str) -> str:
        """Why a path is refused, by the function and by one that remembers directories."""
        text = str(self.assertRaises(Untrusted, check_trusted, path))
        paths = HostPaths()
        for _ in range(2):
            error = self.assertRaises(Untrusted, paths.check, path)
            self.assertEqual(str(error), text)
        self.assertTrue(text.startswith(f"{path} cannot be trusted: "), text)
        return text


class OwnTests(HostPathsCase):
    """Tests that need no other user."""

    def test_the_systems(self) -> None:
        """Nodes, files and directories of the system pass, and sticky directories themselves."""
        for path in ("/", "/dev/null", "/dev", "/dev/", "/dev/..", "/etc/passwd", "/tmp"):
            check_trusted(path)

    def test_relative(self) -> None:
        """A relative path begins in the working directory."""
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory("x"))
        check_trusted("y")
        os.chmod(self.root, 0o777)
        self.assertRaises(Untrusted, check_trusted, "y")

    def test_others_may_write(self) -> None:
        """Above a file, on the way of a link to it, and where a link leads."""
        self.directory("bad", 0o777)
        self.directory("good")
        for path in (
            self.file("bad/f"),
            self.link("good/l", "../bad/f"),
            self.link("bad/l", "/dev/null"),
            self.link("through", "bad/../good"),
            self.link("deep", "through/l"),
            self.link("nowhere", "bad/absent"),
            f"{self.root}/bad/absent/too",
        ):
            self.assertIn(f"others may write in {self.root}/bad ", self.refused(path))

    def test_end_that_others_may_write_in(self) -> None:
        """A directory to mount, or of nodes, in which others may make what they like."""
        self.assertIn("others may write in", self.refused(self.directory("bad", 0o777)))
        check_trusted(self.directory("sticky", 0o1777))  # nobody replaces what is ours there

    def test_links_that_lead_nowhere(self) -> None:
        """Circles, missing parts and files on the way: nothing is there to be had."""
        self.link("a", "b")
        self.link("b", "a")
        self.link("absent", "x/y/z")
        self.file("f")
        for name in ("a", "b/x", "absent", "f/x", "n" * 300):
            check_trusted(f"{self.root}/{name}")

    def test_chain(self) -> None:
        """A chain of links is followed as far as the kernel does."""
        self.directory("bad", 0o777)
        self.link("0", "bad/f")
        for number in range(1, 60):
            self.link(str(number), str(number - 1))
        self.refused(f"{self.root}/30")
        check_trusted(f"{self.root}/59")
        self.assertRaises(OSError, os.stat, f"{self.root}/59")

    def test_deep_path(self) -> None:
        """As many parts as a path can have."""
        check_trusted("/dev" + "/x" * 2000)

    def test_missing_where_others_may_make_it(self) -> None:
        """Anybody could make a missing entry of a sticky directory."""
        self.directory("sticky", 0o1777)
        for name in ("x", "x/y"):
            self.assertIn("is missing, and others", self.refused(f"{self.root}/sticky/{name}"))

    def test_second_name(self) -> None:
        """In a sticky directory, a second name may have been given by anybody."""
        self.directory("sticky", 0o1777)
        path = self.file("sticky/f")
        check_trusted(path)
        os.link(path, f"{self.root}/f")
        check_trusted(f"{self.root}/f")
        self.assertIn("has other names, and others", self.refused(path))

    def test_renewed(self) -> None:
        """A directory that is not as it was is noticed, in turn, and looked at again."""
        paths = HostPaths()
        where = [self.directory(str(number)) for number in range(9)]
        for path in where:
            paths.check(f"{path}/x")
        self.assertFalse(paths.renew(100))
        os.chmod(where[5], 0o777)
        paths.check(f"{where[5]}/x")  # as it was
        outcomes = [paths.renew(3) for _ in range(5)]
        self.assertEqual(outcomes.count(True), 1)
        self.assertRaises(Untrusted, paths.check, f"{where[5]}/x")
        os.chmod(where[5], 0o755)
        self.assertTrue(paths.renew(100))
        paths.check(f"{where[5]}/x")

    def test_renewed_though_refused(self) -> None:
        """A refused directory has changed only if it is refused for another reason."""
        bad = self.directory("bad", 0o777)
        paths = HostPaths()
        self.assertRaises(Untrusted, paths.check, f"{bad}/f")
        self.assertFalse(paths.renew(100))
        os.chmod(bad, 0o757)
        self.assertTrue(paths.renew(100))

    def test_renewed_link(self) -> None:
        """A link that leads to another directory has changed, though both are safe."""
        one, two = self.directory("one"), self.directory("two")
        link = self.link("link", one)
        paths = HostPaths()
        paths.check(f"{link}/f")
        self.assertFalse(paths.renew(100))
        os.unlink(link)
        os.symlink(two, link)
        self.assertTrue(paths.renew(100))

    def test_many_directories(self) -> None:
        """Of any number of directories a bounded number is remembered."""
        paths = HostPaths()
        for number in range(10_100):
            paths.check(f"/dev/absent{number}/x")
        self.assertLess(len(paths._places), 10_001)


class OtherUsersTests(HostPathsCase):
    """Other users."""

    skip = NEEDS_ROOT

    def test_their_directory(self) -> None:
        """A directory of somebody else's is refused, whatever is in it."""
        given_to(self.directory("a"), ALICE, 0o755)
        for path in (f"{self.root}/a/x", self.link("l", "a/x"), f"{self.root}/a"):
            self.assertIn(f"{self.root}/a belongs to user {ALICE}", self.refused(path))

    def test_their_group(self) -> None:
        """A group that may write has other users, unless it is root's group."""
        path = given_to(self.directory("g"), 0, 0o775, ALICES_GROUP)
        self.refused(f"{path}/x")
        given_to(path, 0, 0o775, 0)
        check_trusted(f"{path}/x")

    def test_their_link_in_a_sticky_directory(self) -> None:
        """An entry of somebody else in /tmp or /dev/shm is refused, and not followed."""
        path = self.directory("sticky", 0o1777)
        with acting_as(BOB):
            os.symlink("/dev/null", f"{path}/l")
            os.mkdir(f"{path}/d")
        ours = self.link("sticky/ours", "/dev/null")
        check_trusted(ours)
        self.assertIn("remove it", self.refused(f"{path}/l"))
        self.refused(f"{path}/d/x")

    def test_their_node(self) -> None:
        """A node may be somebody's in a directory of root's, as in /dev/pts; a file may not."""
        self.directory("sticky", 0o1777)
        for name in ("n", "sticky/n"):
            os.mknod(f"{self.root}/{name}", stat.S_IFCHR | 0o600, os.makedev(1, 3))
            check_trusted(f"{self.root}/{name}")
            os.chown(f"{self.root}/{name}", ALICE, ALICES_GROUP)
        check_trusted(f"{self.root}/n")
        self.refused(f"{self.root}/sticky/n")
        self.refused(given_to(self.file("f"), ALICE, 0o644))

    def test_mount_point(self) -> None:
        """In a sticky directory, anybody may have mounted what shows as root's."""
        sticky = self.directory("sticky", 0o1777)
        for place in (self.directory("sticky/m"), self.directory("m")):
            check_trusted(f"{place}/x")
            mounted = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "mode=755", "none", place], capture_output=True
            )
            if mounted.returncode != 0:
                raise SkipTest(f"cannot mount: {mounted.stderr.decode().strip()}")
            self.addCleanup(subprocess.run, ["umount", place], check=True)
        self.assertIn("is a mount point, and others", self.refused(f"{sticky}/m/x"))
        check_trusted(f"{self.root}/m/x")

    def test_our_own(self) -> None:
        """A plugin of another user trusts its own directories, and root's."""
        given_to(self.directory("a"), ALICE, 0o755)
        given_to(self.file("a/f"), ALICE, 0o600)
        with acting_as(ALICE):
            check_trusted(f"{self.root}/a/f")
            check_trusted("/dev/null")

    def test_what_may_not_be_looked_at(self) -> None:
        """A path that is hidden from us is not safe."""
        path = self.directory("x", 0o700)
        with acting_as(BOB):
            self.assertIn("cannot be looked at: Permission denied", self.refused(f"{path}/y/z"))
