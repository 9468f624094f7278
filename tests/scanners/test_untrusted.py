"""Tests of `GlobScanner` in directories that others may write to, with real users and links."""

import os
import stat
from typing import Any

from twisted.logger import LogEvent, capturedLogs

from tests.scanners.test_globbing import GlobbingTestCase, of
from tests.support.users import ALICE, ALICES_GROUP, BOB, NEEDS_ROOT, acting_as, given_to
from twistdp.scanners import examiner, patterns, search, targets
from twistdp.scanners.globbing import GlobScanner


class UntrustedCase(GlobbingTestCase):
    """A sandbox that others may look into."""

    def setUp(self) -> None:
        """Make it."""
        super().setUp()
        os.chmod(self.box.root, 0o755)

    def found(self, scanner: GlobScanner) -> tuple[list[str], list[LogEvent]]:
        """The ids of a scan, and its messages about files that are left out."""
        with capturedLogs() as events:
            ids = list(of(scanner.discover()))
        return ids, [event for event in events if "others" in event["text"]]


class WritableTests(UntrustedCase):
    """Directories in which others may write; all of this holds without other users."""

    def test_directory(self) -> None:
        """Nothing in it is listed, which is logged once, until the directory is fixed."""
        self.box.file("d/n0")
        self.box.link("d/n1", "/dev/null")
        os.chmod(self.box.path("d"), 0o777)
        scanner = self.scanner("d/n*")
        ids, (event,) = self.found(scanner)
        self.assertEqual(ids, [])
        self.assertIn(f"others may write in {self.box.path('d')} ", event["text"])
        self.assertNotIn(self.box.path("d"), scanner.paths)
        self.assertIn(self.box.root, scanner.paths)  # which reports a change of the mode
        self.assertEqual(self.found(scanner), ([], []))
        os.chmod(self.box.path("d"), 0o755)
        self.assertEqual(list(of(scanner.follow({self.box.path("d")}))), ["n0", "n1"])
        os.chmod(self.box.path("d"), 0o777)
        self.assertEqual(of(scanner.follow({self.box.path("d/n0")})), {})

    def test_checked(self) -> None:
        """Plain files are named as checked, in directories in which nobody else may write."""
        self.box.file("d/n0")
        self.box.link("d/n1", "/dev/null")
        self.box.file("sticky/n2")
        os.chmod(self.box.path("sticky"), 0o1777)
        scanner = self.scanner("*/n*")
        tree = scanner.discover()
        self.assertEqual(len(of(tree)), 3)
        self.assertEqual(tree.checked, {self.box.path("d/n0")})
        self.assertEqual(scanner.follow({self.box.path("sticky/n2")}).checked, set())

    def test_way_of_a_link(self) -> None:
        """A link that leads through such a directory is left out, and nothing is watched there."""
        self.box.file("bad/f")
        os.chmod(self.box.path("bad"), 0o777)
        self.box.link("d/n0", "bad/f")
        self.box.link("d/n1", "d/n0")
        self.box.link("d/n2", "good")
        self.box.file("good")
        scanner = self.scanner("d/n*")
        ids, events = self.found(scanner)
        self.assertEqual((ids, len(events)), (["n2"], 2))
        self.assertNotIn(self.box.path("bad"), scanner.paths)
        self.assertEqual(list(of(scanner.follow({self.box.path("d/n0")}))), ["n2"])

    def test_directories_of_a_wildcard(self) -> None:
        """Of a pattern's directories, the safe ones count."""
        for name in ("good/a", "bad/a", "good/b"):
            self.box.file(f"{name}/n")
        os.chmod(self.box.path("bad"), 0o777)
        os.chmod(self.box.path("good/b"), 0o777)
        self.box.link("to", "bad")
        ids, events = self.found(self.scanner("*/*/n"))
        self.assertEqual(len(ids), 1)
        self.assertTrue(ids[0].startswith("good-a-n"), ids)
        self.assertEqual({event["text"].split("'")[1] for event in events}, {
            self.box.path(name) for name in ("bad", "to", "good/b")
        })  # fmt: skip

    def test_directory_of_a_literal_pattern(self) -> None:
        """A directory whose files are all one device."""
        self.box.file("d/n0")
        os.chmod(self.box.path("d"), 0o777)
        self.assertEqual(self.found(self.scanner("d"))[0], [])
        os.chmod(self.box.path("d"), 0o755)
        self.assertEqual(self.found(self.scanner("d"))[0], ["d"])

    def test_allowed(self) -> None:
        """With check_paths=false nodes in such directories count, but plain files never do."""
        self.box.file("d/n0")
        self.box.file("secret")
        self.box.link("d/n1", "/dev/null")
        self.box.link("d/n2", "secret")
        os.chmod(self.box.path("d"), 0o777)
        scanner = self.scanner("d/n*")
        scanner.check_paths = False
        ids, events = self.found(scanner)
        self.assertEqual((ids, len(events)), (["n1"], 2))


class OtherUsersTests(UntrustedCase):
    """Attacks by other users."""

    skip = NEEDS_ROOT

    def node(self, name: str) -> str:
        """A node with a number of its own."""
        number = len(os.listdir(self.box.root))
        os.mknod(self.box.path(name), stat.S_IFBLK | 0o600, os.makedev(240, number))
        return self.box.path(name)

    def scanner_of_nodes(self, *names: str, **options: Any) -> GlobScanner:
        """A scanner of device nodes."""
        return self.scanner(*names, nodes_only=True, **options)

    def test_links_of_a_user(self) -> None:
        """In a user's directory, links to nodes and files of root are left out."""
        secret, disk = self.box.file("secret"), self.node("disk")
        given_to(self.box.directory("d"), ALICE, 0o755)
        scanner = self.scanner("d/*")
        with acting_as(ALICE):
            os.symlink(secret, self.box.path("d/a"))
            os.symlink(disk, self.box.path("d/b"))
        self.assertEqual(self.found(scanner)[0], [])

    def test_links_in_a_sticky_directory(self) -> None:
        """As in /dev/shm: root's files count and are watched, whatever others put beside them."""
        shm, disk = self.box.directory("shm"), self.node("disk")
        os.chmod(shm, 0o1777)
        os.symlink(disk, f"{shm}/card1")
        scanner = self.scanner_of_nodes("*/card*")
        with acting_as(BOB):
            os.symlink(self.box.path("disk"), f"{shm}/card0")
            os.mkdir(f"{shm}/card2")
        ids, events = self.found(scanner)
        self.assertEqual(len(ids), 1)
        text = " ".join(event["text"] for event in events)
        self.assertIn(f"{shm}/card0 belongs to user {BOB}", text)
        self.assertIn(shm, scanner.paths)
        with acting_as(BOB):
            os.symlink(self.box.path("disk"), f"{shm}/card3")
        with capturedLogs():
            self.assertEqual(list(of(scanner.follow({f"{shm}/card3"}))), ids)

    def test_earlier_pattern(self) -> None:
        """A link in the directory of an earlier pattern does not change a device's name."""
        disk = self.node("disk")
        given_to(self.box.directory("a"), ALICE, 0o755)
        self.box.directory("b")
        os.symlink(disk, self.box.path("b/name"))
        scanner = self.scanner_of_nodes("a/*", "b/*")
        with acting_as(ALICE):
            os.symlink(disk, self.box.path("a/name"))
        ids, _ = self.found(scanner)
        self.assertEqual([of(scanner.discover())[id_].nodes[0].host_path for id_ in ids], [
            self.box.path("b/name")
        ])  # fmt: skip

    def test_file_of_a_user(self) -> None:
        """A plain file of another user is never mounted, but such a node may be listed."""
        given_to(self.box.file("n0"), ALICE, 0o644)
        self.box.file("n1")
        os.chown(self.node("n2"), ALICE, ALICES_GROUP)
        self.assertEqual(self.found(self.scanner("n*"))[0], ["n1", "n2"])

    def test_file_replaced(self) -> None:
        """A file that root has replaced by a user's is left out."""
        path = self.box.file("n0")
        scanner = self.scanner("n*")
        self.assertEqual(self.found(scanner)[0], ["n0"])
        os.replace(given_to(self.box.file("other"), ALICE, 0o644), path)
        self.assertEqual(of(scanner.follow({path})), {})


class FloodTests(UntrustedCase):
    """Any number of directories."""

    def test_targets(self) -> None:
        """A limited number of directories that links lead to is watched, which is logged once."""
        self.patch(targets, "MOST", 5)
        for number in range(9):
            self.box.link(f"d/n{number}", self.box.file(f"m/{number}/t"))
        scanner = self.scanner("d/n*")
        with capturedLogs() as events:
            self.assertEqual(len(of(scanner.discover())), 9)
            scanner.discover()
        (event,) = events
        self.assertIn("too many directories to watch", event["text"])
        watched = [path for path in scanner.paths if path.startswith(self.box.path("m/"))]
        self.assertEqual(len(watched), 5)
        # What changes in one of them is noticed.
        os.unlink(f"{watched[0]}/t")
        self.assertEqual(len(of(scanner.follow({f"{watched[0]}/t"}))), 8)

    def test_watched_directories(self) -> None:
        """The same goes for a pattern's directories, and all of them are listed."""
        self.patch(search, "MOST_WATCHED", 5)
        for number in range(9):
            self.box.file(f"{number}/n")
        scanner = self.scanner("*/n")
        ids, _ = self.found(scanner)
        self.assertEqual((len(ids), len(scanner.paths)), (9, 5))

    def test_directories(self) -> None:
        """A pattern with too many directories is bounded at all its levels."""
        self.patch(patterns, "MOST_DIRECTORIES", 5)
        self.patch(search, "MOST_DIRECTORIES", 5)
        for number in range(9):
            self.box.file(f"{number}/a/n")
        for name in ("*/a/n", "*/*/n"):
            with capturedLogs() as events:
                self.assertEqual(len(of(self.scanner(name).discover())), 5)
            (event,) = events
            self.assertIn("more than 5 directories", event["text"])

    def test_examined(self) -> None:
        """A scan looks at a limited number of unknown files; known ones stay."""
        self.box.link("n0", self.box.file("f"))
        scanner = self.scanner("n*")
        tree = scanner.discover()
        self.patch(examiner, "_MOST_EXAMINED", 10)
        for number in range(1, 30):
            self.box.link(f"n{number}", "absent")
        with capturedLogs() as events:
            self.assertEqual(scanner.discover(), tree)
        (event,) = events
        self.assertIn("19 more files", event["text"])

    def test_room_is_not_for_others(self) -> None:
        """Directories that others may fill come last, so they take no device's place at a start."""
        self.patch(examiner, "_MOST_EXAMINED", 10)
        for number in range(20):
            self.box.link(f"open/n{number}", "absent")
        os.chmod(self.box.path("open"), 0o1777)
        self.box.link("own/n0", self.box.file("f"))
        scanner = self.scanner("open/n*", "own/n*")
        with capturedLogs() as events:
            self.assertEqual(len(of(scanner.discover())), 1)
        self.assertTrue(any("10 more files" in event["text"] for event in events), events)

    def test_refused_directories(self) -> None:
        """Only a limited number of refused directories is looked at, and none is kept."""
        self.patch(patterns, "_MOST_REFUSED", 5)
        for number in range(9):
            self.box.file(f"{number}/n")
            os.chmod(self.box.path(str(number)), 0o777)
        scanner = self.scanner("*/n")
        with capturedLogs() as events:
            self.assertEqual(of(scanner.discover()), {})
        self.assertIn("5 complaints", events[0]["text"])
        self.assertEqual(scanner.paths, [self.box.root])
