"""Tests for `twistdp.scanners.globbing`."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Collection, Sequence
from typing import Any, NoReturn
from unittest import SkipTest

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import LogEvent, LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twistdp import HEALTHY, DeviceInfo, DeviceSpec, DeviceTree, Mount, device_id, klog
from twistdp.errors import BadDevice, BadName
from twistdp.model.acceptance import accept
from twistdp.model.names import digest
from twistdp.scanners import examiner, globbing
from twistdp.scanners.globbing import GlobScanner

Devices = dict[str, DeviceInfo]


def of(tree: DeviceTree) -> Devices:
    """The devices of a scan that has one resource, or none."""
    assert set(tree) <= {"thing"}
    return dict(tree["thing"]) if len(tree) else {}


def names(tree: DeviceTree) -> list[str]:
    """The file names of the devices of such a scan, in its order."""
    return [
        os.path.basename(path)
        for info in of(tree).values()
        for parts in (info.nodes, info.mounts)
        for path in [part.host_path for part in parts]
    ]


class Sandbox:
    """A directory to make files in."""

    def __init__(self) -> None:
        self.root = os.path.realpath(tempfile.mkdtemp(prefix="glob-"))

    def remove(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.root)

    def path(self, name: str) -> str:
        """The path of `name`, which is relative."""
        return os.path.join(self.root, name)

    def directory(self, name: str) -> str:
        """Make a directory."""
        os.makedirs(self.path(name), exist_ok=True)
        return self.path(name)

    def file(self, name: str) -> str:
        """Make an empty file, and the directories that lead to it."""
        self.directory(os.path.dirname(name))
        with open(self.path(name), "w", encoding="ascii"):
            return self.path(name)

    def link(self, name: str, target: str) -> str:
        """Make a link to `target`, a name here."""
        self.directory(os.path.dirname(name))
        os.symlink(self.path(target), self.path(name))
        return self.path(name)

    def node(self, name: str) -> str:
        """Make a device node, another name for /dev/null."""
        if os.geteuid() != 0:
            raise SkipTest("making device nodes needs root")
        os.mknod(self.path(name), stat.S_IFCHR | 0o600, os.makedev(1, 3))
        return self.path(name)


class GlobbingTestCase(SynchronousTestCase):
    """Has a sandbox, in which nobody waits."""

    def setUp(self) -> None:
        """Make it."""
        self.box = Sandbox()
        self.addCleanup(self.box.remove)
        self.rests: list[float] = []
        self.patch(globbing, "sleep", self.rests.append)

    def scanner(self, *names: str, **options: Any) -> GlobScanner:
        """A scanner of plain files with patterns in the sandbox."""
        patterns = [self.box.path(name) for name in names]
        return GlobScanner("thing", patterns, **{"nodes_only": False, **options})

    def ids(self, *names: str, **options: Any) -> list[str]:
        """The ids that a new scanner finds, in its order."""
        return list(of(self.scanner(*names, **options).discover()))


class ConstructorTests(GlobbingTestCase):
    """The arguments of `GlobScanner`."""

    def refused(self, *arguments: Any, error: type[Exception] = ValueError, **named: Any) -> str:
        """The text with which arguments are refused: one line."""
        text = str(self.assertRaises(error, GlobScanner, *arguments, **named))
        self.assertEqual(len(text.splitlines()), 1)
        return text

    def test_repeated_and_separated_by_commas(self) -> None:
        """Patterns may be repeated, separated by commas, and surrounded by blanks."""
        for name in ("a0", "b0", "c0", "d0"):
            self.box.file(name)
        a, b, c = (self.box.path(f"{letter}*") for letter in "abc")
        for pattern in ([a, b, c], [f"{a},{b},{c}"], [f" {a} , {b},", c], f"{a},{b},{c}"):
            scanner = GlobScanner("thing", pattern, nodes_only=False)
            self.assertEqual(list(of(scanner.discover())), ["a0", "b0", "c0"])

    def test_relative_pattern(self) -> None:
        """A relative pattern is refused by name: the daemon's directory would decide."""
        self.assertIn("'dev/tty*'", self.refused("thing", ["/dev/null", "dev/tty*"]))

    def test_recursive_pattern(self) -> None:
        """``**`` is refused wherever it stands."""
        for pattern in ("/dev/**", "/dev/**/tty", "/dev/a**"):
            self.assertIn("'**'", self.refused("thing", [pattern]))

    def test_pattern_without_a_name(self) -> None:
        """A pattern that ends in a slash is refused."""
        self.assertIn("'/dev/'", self.refused("thing", ["/dev/"]))

    def test_no_pattern(self) -> None:
        """An empty pattern is refused."""
        for pattern in ([], [""], [" , "], ""):
            self.assertIn("pattern", self.refused("thing", pattern))

    def test_bad_resource(self) -> None:
        """A resource name that the kubelet would refuse is refused."""
        for resource in ("", "a/b", "-x", "x" * 64):
            self.assertIn(repr(resource), self.refused(resource, ["/x"], error=BadName))

    def test_bad_permissions(self) -> None:
        """Permissions are letters of rwm, at least one."""
        for permissions in ("", "x", "rwx", "RW", "r w"):
            text = self.refused("thing", ["/x"], permissions, error=BadDevice)
            self.assertIn(repr(permissions), text)

    def test_bad_maximum(self) -> None:
        """A maximum of no devices is refused, naming the argument and the value."""
        for maximum in (0, -1):
            text = self.refused("thing", ["/x"], max_devices=maximum)
            self.assertIn(f"max_devices {maximum}", text)

    def test_contents_do_not_matter(self) -> None:
        """Writes into files are not watched: in /dev there are too many."""
        self.assertIs(self.scanner("*").contents, False)

    def test_touches_nothing(self) -> None:
        """The constructor looks at no directory, and knows what to watch all the same."""

        def fail(*arguments: Any) -> NoReturn:
            raise AssertionError("the constructor listed a directory")

        self.patch(os, "listdir", fail)
        self.patch(os, "scandir", fail)
        scanner = self.scanner("a/n*", "x/*/dev*")
        self.assertEqual(set(scanner.paths), {self.box.path("a"), self.box.path("x")})


class MatchingTests(GlobbingTestCase):
    """Which files are devices, and which ones."""

    def test_plain_file(self) -> None:
        """A plain file is mounted, writable if the permissions say so."""
        path = self.box.file("f0")
        self.assertEqual(
            of(self.scanner("f*").discover()),
            {"f0": DeviceInfo(HEALTHY, mounts=[Mount(path, path, read_only=False)])},
        )

    def test_read_only_mount(self) -> None:
        """Without ``w`` among the permissions a plain file is mounted read-only."""
        path = self.box.file("f0")
        for permissions in ("r", "rm"):
            (info,) = of(self.scanner("f*", permissions=permissions).discover()).values()
            self.assertEqual(info.mounts, (Mount(path, path, read_only=True),))

    def test_node(self) -> None:
        """A device node is given with its permissions; plain files do not count by default."""
        path = self.box.node("n0")
        self.box.file("n1")
        self.assertEqual(
            of(GlobScanner("thing", [self.box.path("n*")], permissions="rwm").discover()),
            {"n0": DeviceInfo(HEALTHY, nodes=[DeviceSpec(path, path, "rwm")])},
        )

    def test_node_and_plain_file(self) -> None:
        """With nodes_only=False both count, each in its own way."""
        self.box.node("n0")
        self.box.file("n1")
        devices = of(self.scanner("n*").discover())
        self.assertEqual([len(info.nodes) for info in devices.values()], [1, 0])
        self.assertEqual([len(info.mounts) for info in devices.values()], [0, 1])

    def test_real_nodes(self) -> None:
        """The nodes of /dev are found by users without any rights, too."""
        scanner = GlobScanner("thing", ["/dev/null,/dev/zer?,/dev/[f]ull"])
        self.assertEqual(list(of(scanner.discover())), ["null", "zero", "full"])

    def test_other_files(self) -> None:
        """Directories, sockets and pipes are no devices."""
        self.box.directory("n0")
        os.mkfifo(self.box.path("n1"))
        self.assertEqual(self.ids("n*"), [])

    def test_wildcards(self) -> None:
        """Wildcards are those of a shell, and match the whole name."""
        for name in ("n1", "n2", "n10", "an1", "N1", "n1\n"):
            self.box.file(name)
        self.assertEqual(self.ids("n?"), ["n1", "n2"])
        self.assertEqual(self.ids("n[!1]"), ["n2"])
        self.assertEqual(self.ids("n1"), ["n1"])
        self.assertEqual(self.ids("n[0-9]"), ["n1", "n2"])

    def test_hidden(self) -> None:
        """Wildcards match no leading dot; a pattern that has the dot does."""
        self.box.file(".h0")
        self.box.file("n0")
        self.assertEqual(self.ids("*"), ["n0"])
        self.assertEqual(self.ids("?h0"), [])
        self.assertEqual(self.ids(".h*"), [".h0"])

    def test_order(self) -> None:
        """Devices come in the patterns' order, and in natural order within one."""
        for name in ("b1", "a10", "a9", "a100"):
            self.box.file(name)
        self.assertEqual(self.ids("b*", "a*"), ["b1", "a9", "a10", "a100"])

    def test_missing_directory(self) -> None:
        """A missing directory has no devices and causes no complaint, and is watched."""
        scanner = self.scanner("absent/n*")
        with capturedLogs() as events:
            self.assertEqual(scanner.discover(), DeviceTree())
        self.assertEqual([e["text"] for e in events if "matches nothing" not in e["text"]], [])
        self.assertEqual(scanner.paths, [self.box.path("absent")])
        self.box.file("absent/n0")
        self.assertEqual(list(of(scanner.discover())), ["n0"])

    def test_directory_is_a_file(self) -> None:
        """A directory that cannot be listed is logged once and affects no other."""
        self.box.file("file")
        self.box.file("d/n0")
        scanner = self.scanner("file/n*", "d/n*")
        with capturedLogs() as events:
            self.assertEqual(names(scanner.discover()), ["n0"])
            scanner.discover()
        event, idle = events
        self.assertEqual(event["log_level"], LogLevel.warn)
        self.assertIn(f"{self.box.path('file')!r}: it is no directory", event["text"])
        self.assertIn("matches nothing", idle["text"])
        self.assertEqual(event["log_constant"], "what matches needs attention")
        self.assertEqual(event["log_facts"], {"resource": "thing", "reason": event["text"]})
        facts = {"resource": "thing", "pattern": self.box.path("file/n*"), "otherFiles": 0}
        self.assertEqual(
            (idle["log_constant"], idle["log_facts"]), ("pattern matches nothing", facts)
        )

    def refuse_to_list(self, error: int) -> Any:
        """Let no directory be listed from now on."""

        def refuse(path: str) -> Any:
            raise OSError(error, os.strerror(error), path)

        patch = self.patch(os, "listdir", refuse)
        patch.addPatch(os, "scandir", refuse)
        patch.patch()
        return patch

    def test_unreadable_directory(self) -> None:
        """A directory that may not be listed any more is logged once; its devices stay."""
        self.box.file("d/n0")
        scanner = self.scanner("d/n*")
        tree = scanner.discover()
        patch = self.refuse_to_list(errno.EACCES)
        with capturedLogs() as events:
            for _ in range(2):
                self.assertEqual(scanner.discover(), tree)
        (event,) = events
        self.assertIn("Permission denied", event["text"])
        patch.restore()
        self.box.file("d/n1")
        self.assertEqual(list(of(scanner.follow({self.box.path("d")}))), ["n0", "n1"])

    def test_unreadable_after_a_scan_that_failed(self) -> None:
        """The devices of a scan before a failed one are still known."""
        self.box.file("d/n0")
        scanner = self.scanner("d/n*")
        tree = scanner.discover()
        patch = self.refuse_to_list(errno.EMFILE)
        self.assertRaises(OSError, scanner.discover)
        patch.restore()
        self.refuse_to_list(errno.EACCES)
        with capturedLogs():
            self.assertEqual(scanner.discover(), tree)

    def test_directory_that_cannot_be_listed_now(self) -> None:
        """Without a descriptor left the scan fails: nothing has vanished."""
        self.box.file("d/n0")
        for name in ("d/n*", "*/n*"):
            scanner = self.scanner(name)
            tree = scanner.discover()
            patch = self.refuse_to_list(errno.EMFILE)
            self.assertRaises(OSError, scanner.discover)
            patch.restore()
            self.assertEqual(scanner.discover(), tree)

    def refuse(self, function: str, refused: str, error: int) -> Any:
        """Let a function of `os` fail for one path."""
        real = getattr(os, function)

        def refuse(path: str, *arguments: Any) -> Any:
            if path == refused:
                raise OSError(error, os.strerror(error), path)
            return real(path, *arguments)

        return self.patch(os, function, refuse)

    def test_unreadable_above(self) -> None:
        """A directory whose place cannot be looked at any more keeps its devices."""
        self.box.file("bus/1/n0")
        self.box.file("bus/2/n0")
        for function, refused in (("scandir", "bus"), ("stat", "bus/1")):
            scanner = self.scanner("bus/*/n*")
            tree, paths = scanner.discover(), scanner.paths
            patch = self.refuse(function, self.box.path(refused), errno.EACCES)
            with capturedLogs() as events:
                self.assertEqual(scanner.discover(), tree)
            (event,) = events
            self.assertIn(f"{self.box.path(refused)!r}, its devices stay", event["text"])
            self.assertEqual(set(scanner.paths), set(paths))
            with open(self.box.path("bus/1/n1"), "w", encoding="ascii"):
                self.assertEqual(len(of(scanner.discover())), 3)
            os.unlink(self.box.path("bus/1/n1"))
            self.assertEqual(scanner.discover(), tree)
            patch.restore()
            self.assertEqual(scanner.discover(), tree)

    def test_file_that_cannot_be_looked_at_any_more(self) -> None:
        """It stays what it was, whatever the scan."""
        bad = self.box.link("n0", self.box.file("other"))
        scanner = self.scanner("n*")
        tree = scanner.discover()
        self.refuse("lstat", bad, errno.EIO)
        self.assertEqual(scanner.follow({bad}), tree)
        self.assertEqual(scanner.discover(), tree)

    def test_second_outage(self) -> None:
        """A complaint is logged again if the path could be looked at in between."""
        self.box.file("d/n0")
        scanner = self.scanner("d/n*")
        told: list[LogEvent] = []
        for _ in range(2):
            scanner.discover()
            patch = self.refuse("scandir", self.box.path("d"), errno.EACCES)
            with capturedLogs() as events:
                scanner.discover()
            told += events
            patch.restore()
        self.assertEqual(len(told), 2)

    def test_unchanged_files_are_not_looked_at(self) -> None:
        """A rescan asks directories only; but links, whose targets may have changed."""
        self.box.link("d/link", self.box.file("d/plain"))
        scanner = self.scanner("d/*")
        tree = scanner.discover()
        asked: list[str] = []
        real = os.lstat

        def lstat(path: str, **at: int) -> os.stat_result:
            asked.append(path)
            return real(path, **at)

        self.patch(os, "lstat", lstat)
        self.assertEqual(scanner.discover(), tree)
        self.assertIn(self.box.path("d/link"), asked)
        asked.clear()
        os.unlink(self.box.path("d/link"))
        self.assertEqual(list(of(scanner.discover())), ["plain"])
        self.assertNotIn(self.box.path("d/plain"), asked)

    def test_other_kind_under_a_name(self) -> None:
        """A rescan notices by the directory alone what a file has become."""
        name = self.box.file("n0")
        scanner = self.scanner("n*")
        self.assertTrue(of(scanner.discover())["n0"].mounts)
        os.unlink(name)
        self.box.node("n0")
        self.assertTrue(of(scanner.discover())["n0"].nodes)
        os.unlink(name)
        self.box.file("n0")
        self.assertTrue(of(scanner.discover())["n0"].mounts)
        os.unlink(name)
        os.mkfifo(name)  # with the inode number that the file had
        self.assertEqual(of(scanner.discover()), {})

    def test_unreadable_file(self) -> None:
        """A file that cannot be examined is logged once and affects no other."""
        self.box.file("n0")
        self.box.file("n2")
        bad = self.box.link("n1", self.box.file("other"))  # of a plain file, its directory tells
        scanner = self.scanner("n*")
        self.refuse("lstat", bad, errno.EACCES)
        with capturedLogs() as events:
            self.assertEqual(list(of(scanner.discover())), ["n0", "n2"])
            self.assertEqual(list(of(scanner.follow({bad}))), ["n0", "n2"])
        (event,) = events
        self.assertIn(bad, event["text"])
        self.assertIn("Permission denied", event["text"])

    def test_file_that_vanishes(self) -> None:
        """A file that vanishes between listing and examination is skipped silently."""
        self.box.file("n0")
        self.refuse("lstat", self.box.link("gone", "n0"), errno.ENOENT)
        with capturedLogs() as events:
            self.assertEqual(self.ids("*"), ["n0"])
        self.assertEqual(events, [])


class LoggedTests(GlobbingTestCase):
    """Messages about patterns that match nothing, and about matches that are no devices."""

    def said(self, scan: Callable[[], object]) -> list[str]:
        """The lines of a scan, without what follows a semicolon."""
        with capturedLogs() as events:
            scan()
        return [formatEvent(event).partition(";")[0] for event in events]

    def test_nothing(self) -> None:
        """It is logged once, however many scans follow, and once when the pattern matches."""
        self.box.directory("d")
        scanner = self.scanner("d/x*", "d/y*")
        x, y = (repr(self.box.path(f"d/{letter}*")) for letter in "xy")
        self.assertEqual(
            self.said(scanner.discover),
            [f"thing: pattern {x} matches nothing", f"thing: pattern {y} matches nothing"],
        )
        self.assertEqual(self.said(scanner.discover), [])
        path = self.box.file("d/x0")
        self.assertEqual(
            self.said(lambda: scanner.follow([path])), [f"thing: pattern {x} matches now"]
        )
        self.assertEqual(self.said(scanner.discover), [])
        os.unlink(path)
        self.assertEqual(
            self.said(lambda: scanner.follow([path])), [f"thing: pattern {x} matches nothing"]
        )

    def test_what_another_pattern_has(self) -> None:
        """A pattern whose files count for an earlier one does match."""
        self.box.file("d/x0")
        self.assertEqual(self.said(self.scanner("d/*", "d/x*").discover), [])

    def test_left_out(self) -> None:
        """Files that are no devices are counted, and named once with the reason at level 1."""
        plain, directory = self.box.file("d/x0"), self.box.directory("d/x1")
        scanner = self.scanner("d/x*", nodes_only=True)
        self.assertEqual(
            self.said(scanner.discover),
            [
                f"thing: pattern {self.box.path('d/x*')!r} matches nothing but 2 files that are no "
                "device"
            ],
        )
        self.addCleanup(klog.set_level, klog.level())
        klog.set_level(1)
        with capturedLogs() as events:
            scanner.discover()
            scanner.discover()
        self.assertEqual({event["log_text"] for event in events}, {"what matches is left out"})
        self.assertEqual(
            sorted(event["what"].partition(";")[0] for event in events),
            [f"{plain!r}: it is a plain file", f"{directory!r}: it is a directory"],
        )


class NameTests(GlobbingTestCase):
    """Ids for file names of all kinds."""

    def test_plain(self) -> None:
        """An id is the file name where that is a valid id."""
        names = ["ttyUSB0", "usb-Acme_1.2:3-port0", "a+b@c", "x" * 63]
        for name in names:
            self.box.file(name)
        self.assertEqual(set(self.ids("*")), set(names))

    def test_odd(self) -> None:
        """Any other name gives an id of its own that the kubelet accepts."""
        names = ["a b", "a,b", "a-b", "ü", "x" * 64, "x" * 200, "y" * 63 + "z", "½5", "5½"]
        for name in names:
            self.box.file(name)
        tree = self.scanner("*").discover()
        self.assertEqual(len(of(tree)), len(names))
        self.assertEqual(accept(tree).refusals, ())
        self.assertIn(f"a-b-{digest('a b')}", of(tree))

    def test_superscript_digit(self) -> None:
        """A digit other than 0 to 9 in a name affects no device."""
        self.box.file("n1²")
        self.box.file("n2")
        self.assertEqual(len(self.ids("n*")), 2)

    def test_control_characters(self) -> None:
        """A file whose name no container could get is reported and affects no other."""
        for name in ("a", "a\tb", "b\x1b[2J", "c\u202e"):
            self.box.file(name)
        with capturedLogs() as events:
            self.assertEqual(self.ids("*"), ["a"])
        said = [formatEvent(event) for event in events]
        self.assertEqual(len(said), 3, said)
        for text, number in zip(sorted(said), ("U+0009", "U+001B", "U+202E"), strict=True):
            self.assertIn(f"control character {number}", text)
            self.assertTrue(text.isprintable(), text)

    def test_not_utf_8(self) -> None:
        """A path that is not UTF-8 is left out and logged once; others are unaffected."""
        bad = os.fsdecode(b"n\xff1")
        for name in ("n0", bad, "n2"):
            self.box.file(name)
        scanner = self.scanner("n*")
        with capturedLogs() as events:
            for tree in (
                scanner.discover(),
                scanner.follow({self.box.path(bad), self.box.path("n0")}),
                scanner.discover(),
            ):
                self.assertEqual(list(of(tree)), ["n0", "n2"])
        (event,) = events
        self.assertIn(r"n\udcff1", event["text"])
        self.assertIn("UTF-8", event["text"])
        event["text"].encode()  # the log can be written

    def test_link_to_a_path_that_is_not_utf_8(self) -> None:
        """A link with a plain name helps."""
        self.box.file(os.fsdecode(b"d/\xff"))
        self.box.link("n0", os.fsdecode(b"d/\xff"))
        self.assertEqual(self.ids("n*"), ["n0"])

    def test_several_directories(self) -> None:
        """With several directories, ids are paths from the one that they have in common."""
        names = ["a/n0", "b/c/n0", "b/n1"]
        for name in names:
            self.box.file(name)
        for patterns in (["a/n*", "b/c/n*", "b/n*"], ["*/n*", "*/*/n*"]):
            self.assertEqual(set(self.ids(*patterns)), {device_id(name) for name in names})
        self.assertEqual(self.ids("a/n*", "n*"), [device_id("a/n0")])
        self.assertEqual(self.ids("b/n*", "b/c/n*"), ["n1", device_id("c/n0")])

    def test_root(self) -> None:
        """The directory in common may be the root."""
        tree = GlobScanner("thing", ["/dev/null", "/absent/x"]).discover()
        self.assertEqual(list(of(tree)), [device_id("dev/null")])

    def test_namesakes(self) -> None:
        """Other devices that come and go never change a device's id."""
        self.box.file("a/n0")
        self.box.directory("b")
        scanner = self.scanner("a/n*", "b/n*")
        before = list(of(scanner.discover()))
        path = self.box.file("b/n0")
        self.assertEqual(list(of(scanner.follow({path}))), [*before, device_id("b/n0")])
        os.unlink(path)
        self.assertEqual(list(of(scanner.follow({path}))), before)

    def test_odd_patterns(self) -> None:
        """However a pattern is written, ids and watched paths are the same."""
        path = self.box.file("a/n0")
        root = self.box.root
        for pattern in (f"{root}//a/n*", f"/{root}/./a/n*", f"//{root}/a/./n*"):
            scanner = GlobScanner("thing", [pattern], nodes_only=False)
            scanner.discover()
            self.assertEqual(scanner.paths, [self.box.path("a")])
            self.assertEqual(list(of(scanner.follow({path}))), ["n0"])

    def test_equal_long_names(self) -> None:
        """Equal names that are long or odd still give valid and different ids."""
        for directory in "ab":
            for name in ("x" * 63, "y" * 70, "o d d"):
                self.box.file(f"{directory}/{name}")
        tree = self.scanner("a/*", "b/*").discover()
        self.assertEqual(len(of(tree)), 6)
        self.assertEqual(accept(tree).refusals, ())

    def test_equal_names_of_one_file(self) -> None:
        """Equal names of one file are one device."""
        self.box.file("a/n0")
        self.box.link("b/n0", "a/n0")
        self.assertEqual(self.ids("a/n*", "b/n*"), [device_id("a/n0")])


class LinkTests(GlobbingTestCase):
    """Links to devices."""

    def test_link_to_a_node(self) -> None:
        """The container gets the link: what it leads to is found each time it starts."""
        self.box.node("node")
        path = self.box.link("by-id/disk", "node")
        scanner = GlobScanner("thing", [self.box.path("by-id/*")])
        self.assertEqual(
            of(scanner.discover()),
            {"disk": DeviceInfo(HEALTHY, nodes=[DeviceSpec(path)])},
        )

    def test_link_to_a_file(self) -> None:
        """The same goes for plain files."""
        self.box.file("d/f")
        path = self.box.link("n0", "d/f")
        (info,) = of(self.scanner("n*").discover()).values()
        self.assertEqual(info.mounts, (Mount(path, path),))

    def test_linked_directory(self) -> None:
        """A pattern's directory may be a link; the host's path is as the pattern says."""
        self.box.file("d/n0")
        self.box.link("by", "d")
        path = self.box.path("by/n0")
        (info,) = of(self.scanner("by/n*").discover()).values()
        self.assertEqual(info.mounts, (Mount(path, path),))
        (info,) = of(self.scanner("by/n*", "d/n*").discover()).values()
        self.assertEqual(info.mounts[0].host_path, self.box.path("d/n0"))
        self.assertEqual(self.rests, [])

    def test_two_links_to_one_file(self) -> None:
        """Two links to one file are one device, called by the first pattern that matches."""
        self.box.file("d/f")
        self.box.link("a1", "d/f")
        self.box.link("b1", "d/f")
        self.assertEqual(self.ids("a*", "b*"), ["a1"])
        self.assertEqual(self.ids("b*", "a*"), ["b1"])
        self.assertEqual(self.ids("*1"), ["a1"])

    def test_link_and_file(self) -> None:
        """A link and the file behind it are one device, which is called by its own name."""
        self.box.file("d/f")
        self.box.link("a1", "d/f")
        for patterns in (["a*", "d/*"], ["d/*", "a*"]):
            with capturedLogs() as events:
                scanner = self.scanner(*patterns)
                for _ in range(2):
                    self.assertEqual(list(of(scanner.discover())), [device_id("d/f")])
            (event,) = events
            self.assertIn(repr(self.box.path("a*")), event["text"])
            self.assertIn("has no effect", event["text"])
        self.assertEqual(self.rests, [])

    def test_link_comes_later(self) -> None:
        """A link that udev makes after the node does not rename it."""
        self.box.file("d/f")
        self.box.directory("by-id")
        scanner = self.scanner("by-id/*", "d/*")
        before = of(scanner.discover())
        link = self.box.link("by-id/a", "d/f")
        self.assertEqual(of(scanner.follow({link})), before)
        os.unlink(link)
        self.assertEqual(of(scanner.follow({link})), before)

    def test_dangling_link(self) -> None:
        """A dangling link is no device and no complaint; its target's directory is watched."""
        self.box.directory("d")
        self.box.link("n0", "d/f")
        self.box.file("n1")
        scanner = self.scanner("n*")
        with capturedLogs() as events:
            self.assertEqual(list(of(scanner.discover())), ["n1"])
        self.assertEqual(events, [])
        self.assertEqual(set(scanner.paths), {self.box.root, self.box.path("d")})

    def test_target_comes_and_goes(self) -> None:
        """A link is a device as soon as its target appears, and none when that is gone."""
        self.box.directory("d")
        self.box.link("n0", "d/f")
        scanner = self.scanner("n*")
        scanner.discover()
        target = self.box.file("d/f")
        self.assertEqual(list(of(scanner.follow({target}))), ["n0"])
        os.unlink(target)
        self.assertEqual(of(scanner.follow({target})), {})
        self.assertIn(self.box.path("d"), scanner.paths)
        self.box.file("d/f")
        self.assertEqual(list(of(scanner.follow({target}))), ["n0"])

    def test_target_changes(self) -> None:
        """A link that leads elsewhere is the other device."""
        self.box.file("d/f")
        self.box.file("e/f")
        link = self.box.link("n0", "d/f")
        scanner = self.scanner("n*")
        scanner.discover()
        os.unlink(link)
        self.box.link("n0", "e/f")
        (info,) = of(scanner.follow({link})).values()
        self.assertEqual(info.mounts, (Mount(link, link),))
        self.assertIn(self.box.path("e"), scanner.paths)

    def test_middle_of_a_chain(self) -> None:
        """A link to a link depends on both: when the one in the middle goes, so does it."""
        self.box.file("d/f")
        middle = self.box.link("m/middle", "d/f")
        self.box.link("n0", "m/middle")
        scanner = self.scanner("n*")
        self.assertEqual(list(of(scanner.discover())), ["n0"])
        self.assertIn(self.box.path("m"), scanner.paths)
        os.unlink(middle)
        self.assertEqual(of(scanner.follow({middle})), {})

    def test_loop(self) -> None:
        """Links that lead in a circle are left out, logged, and cost no other device."""
        self.box.link("n0", "n1")
        self.box.link("n1", "n0")
        self.box.link("n2", "n2")
        self.box.file("n3")
        scanner = self.scanner("n*")
        with capturedLogs() as events:
            self.assertEqual(list(of(scanner.discover())), ["n3"])
            scanner.discover()
        self.assertEqual(len(events), 3)

    def test_loop_is_broken(self) -> None:
        """When a circle of links is broken by a file, the links to it are devices."""
        self.box.link("a0", "d/b0")
        middle = self.box.link("d/b0", "a0")
        scanner = self.scanner("a*")
        self.assertEqual(of(scanner.discover()), {})
        os.unlink(middle)
        self.box.file("d/b0")
        self.assertEqual(list(of(scanner.follow({middle}))), ["a0"])

    def test_link_to_a_directory(self) -> None:
        """A link to a directory is no device."""
        self.box.directory("d")
        self.box.link("n0", "d")
        self.assertEqual(self.ids("n*"), [])


class NewLinkTests(GlobbingTestCase):
    """Devices that are known by links, which udev makes one after the other."""

    def setUp(self) -> None:
        """Have a scanner of links."""
        super().setUp()
        self.box.directory("by")
        self.file = self.box.file("d/f")
        self.coming: list[str] = []
        """Links to the file that are made during the rests, one in each."""
        self.patch(globbing, "sleep", self.rest)
        self.subject = self.scanner("by/*")
        self.subject.discover()

    def rest(self, seconds: float) -> None:
        """Make the next link."""
        self.rests.append(seconds)
        if self.coming:
            self.link(self.coming.pop(0))

    def link(self, name: str) -> str:
        """Make a link to the file."""
        return self.box.link(f"by/{name}", "d/f")

    def test_waited_for(self) -> None:
        """The name does not depend on the order of links or on the time of a scan."""
        self.coming = ["m", "a", "b"]
        self.assertEqual(list(of(self.subject.follow({self.link("n")}))), ["a"])
        self.assertEqual(len(self.rests), 4)
        self.assertGreater(min(self.rests), 0.05)
        self.assertEqual(self.ids("by/*"), ["a"])

    def test_nothing_to_wait_for(self) -> None:
        """Known devices, and devices with their own names, are not waited for."""
        link = self.link("n")
        self.subject.follow({link})
        self.rests.clear()
        os.utime(link, (5, 5), follow_symlinks=False)
        for tree in (self.subject.follow({link}), self.subject.discover()):
            self.assertEqual(list(of(tree)), ["n"])
        scanner = self.scanner("by/*", "d/*")
        self.assertEqual(names(scanner.discover()), ["f"])
        self.assertEqual(self.rests, [])

    def test_no_end_of_links(self) -> None:
        """The wait is bounded."""
        self.coming = [f"n{number}" for number in range(100, 0, -1)]
        self.assertEqual(len(of(self.subject.follow({self.link("n1000")}))), 1)
        self.assertEqual(len(self.rests), 10)

    def test_gone_while_waited_for(self) -> None:
        """A device that is unplugged at once is not listed."""
        link = self.link("n")
        self.patch(globbing, "sleep", lambda _: os.unlink(link) if os.path.lexists(link) else None)
        self.assertEqual(of(self.subject.follow({link})), {})

    def late(self, name: str) -> str:
        """Make a link a minute later."""
        path = self.link(name)
        later = os.lstat(path).st_mtime + 60
        os.utime(path, (later, later), follow_symlinks=False)
        return path

    def test_late_link(self) -> None:
        """A link that comes much later changes nothing, also after a restart of the process."""
        before = of(self.subject.follow({self.link("n")}))
        late = self.late("a")
        self.assertEqual(of(self.subject.follow({late})), before)
        self.assertEqual(of(self.subject.discover()), before)
        self.assertEqual(of(self.scanner("by/*").discover()), before)

    def test_name_taken_by_another(self) -> None:
        """Where two devices claim one link, it never stands for both, and neither is renamed."""
        link, other = self.link("n"), self.link("o")
        self.assertEqual(list(of(self.subject.follow({link, other}))), ["n"])
        self.box.file("d/second")
        os.unlink(link)
        self.box.link("by/n", "d/second")
        with capturedLogs() as events:
            for tree in (self.subject.follow({link}), self.subject.discover()):
                self.assertEqual(list(of(tree)), ["n"])
        (event,) = events
        self.assertIn(f"{link!r}, which leads elsewhere now", event["text"])
        os.unlink(link)
        self.link("n")
        self.assertEqual(list(of(self.subject.follow({link}))), ["n"])

    def test_name_gone(self) -> None:
        """A device that has lost its link is listed again with it, or when it is plugged in again:
        a pod may have it.
        """
        link, other = self.link("n"), self.link("o")
        before = of(self.subject.follow({link, other}))
        os.unlink(link)
        self.assertEqual(of(self.subject.follow({link})), {})
        self.link("n")
        self.assertEqual(of(self.subject.follow({link})), before)
        os.unlink(link)
        os.unlink(self.file)
        self.assertEqual(of(self.subject.follow({link, self.file})), {})
        self.box.file("d/f")
        self.assertEqual(list(of(self.subject.follow({self.file}))), ["o"])


class DirectoryTests(GlobbingTestCase):
    """Patterns that name a directory: all that is in it is one device."""

    def paths(self, tree: DeviceTree) -> dict[str, list[str]]:
        """The names of what the devices give, by id."""
        return {
            id_: [os.path.relpath(mount.host_path, self.box.root) for mount in info.mounts]
            for id_, info in of(tree).items()
        }

    def test_changes(self) -> None:
        """It is a device while anything is in it, and follows what comes and goes."""
        scanner = self.scanner("d/snd")
        self.assertEqual(of(scanner.discover()), {})
        self.assertIn(self.box.path("d"), scanner.paths)
        directory = self.box.directory("d/snd")
        self.assertEqual(of(scanner.follow({directory})), {})
        self.assertIn(directory, scanner.paths)
        one, ten, two = (self.box.file(f"d/snd/n{number}") for number in (1, 10, 2))
        expected = {"snd": ["d/snd/n1", "d/snd/n2", "d/snd/n10"]}
        self.assertEqual(self.paths(scanner.follow({one, ten, two})), expected)
        self.assertEqual(self.paths(scanner.discover()), expected)
        os.unlink(two)
        self.assertEqual(self.paths(scanner.follow({two})), {"snd": ["d/snd/n1", "d/snd/n10"]})
        shutil.rmtree(directory)
        self.assertEqual(of(scanner.follow({directory, one, ten})), {})
        os.rmdir(self.box.path("d"))
        self.assertEqual(of(scanner.discover()), {})

    def test_becomes_a_file(self) -> None:
        """The same name may be a file later."""
        scanner = self.scanner("snd")
        self.box.file("snd/n1")
        self.assertEqual(self.paths(scanner.discover()), {"snd": ["snd/n1"]})
        shutil.rmtree(self.box.path("snd"))
        path = self.box.file("snd")
        self.assertEqual(self.paths(scanner.follow({path})), {"snd": ["snd"]})

    def test_link_to_a_directory(self) -> None:
        """It may be a link."""
        self.box.file("d/n1")
        self.box.link("snd", "d")
        self.assertEqual(self.paths(self.scanner("snd").discover()), {"snd": ["snd/n1"]})

    def test_matched_by_wildcards(self) -> None:
        """A directory that a wildcard matches is no device."""
        self.box.file("snd/n1")
        self.assertEqual(self.ids("sn?"), [])

    def test_beside_its_nodes(self) -> None:
        """A file in it belongs to no other device."""
        self.box.file("snd/n1")
        self.box.file("snd/n2")
        expected = {"snd": ["snd/n1", "snd/n2"]}
        self.assertEqual(self.paths(self.scanner("snd", "snd/n*").discover()), expected)

    def test_elsewhere_in_the_container(self) -> None:
        """With a container path, that is the place of the directory."""
        self.box.file("snd/n1")
        scanner = self.scanner("snd", container_path="/dev/sound")
        (info,) = of(scanner.discover()).values()
        self.assertEqual(info.mounts, (Mount(self.box.path("snd/n1"), "/dev/sound/n1"),))

    def test_real_nodes(self) -> None:
        """The nodes of a real directory are one device."""
        (info,) = of(GlobScanner("thing", ["/dev/pts"]).discover()).values()
        self.assertIn(DeviceSpec("/dev/pts/ptmx"), info.nodes)


class OptionTests(GlobbingTestCase):
    """`count`, `container_path` and `together`"""

    def refused(self, **options: Any) -> str:
        """The text with which options are refused."""
        return str(self.assertRaises(ValueError, self.scanner, "n*", **options))

    def test_count(self) -> None:
        """Each device is listed so often, as parts of one; to list more changes no id."""
        path = self.box.file("n0")
        devices = of(self.scanner("n*", count=3).discover())
        info = DeviceInfo(HEALTHY, mounts=[Mount(path, path)], group="n0")
        self.assertEqual(devices, {"n0-0": info, "n0-1": info, "n0-2": info})
        for count in (1, 12):
            self.assertEqual(
                self.ids("n*", count=count), [f"n0-{number}" for number in range(count)]
            )

    def test_count_of_long_names(self) -> None:
        """Ids stay valid and distinct."""
        self.box.file("x" * 63)
        tree = self.scanner("*", count=30).discover()
        self.assertEqual(len(of(tree)), 30)
        self.assertEqual(accept(tree).refusals, ())

    def test_count_comes_and_goes(self) -> None:
        """All of a device come and go together, and count for the guard."""
        path = self.box.file("n0")
        scanner = self.scanner("n*", count=3, max_devices=5)
        scanner.discover()
        other = self.box.file("n1")
        with capturedLogs():
            devices = list(of(scanner.follow({other})))
        self.assertEqual(devices, ["n0-0", "n0-1", "n0-2", "n1-0", "n1-1"])
        os.unlink(path)
        self.assertEqual(list(of(scanner.follow({path}))), ["n1-0", "n1-1", "n1-2"])

    def test_bad_count(self) -> None:
        """A count that makes no sense is refused."""
        for count in (0, -1, 50_001):
            self.assertIn(f"count {count}", self.refused(count=count))

    def test_container_path(self) -> None:
        """A match has that path in the container."""
        path = self.box.file("n0")
        (info,) = of(self.scanner("n*", container_path="/dev/x").discover()).values()
        self.assertEqual(info.mounts, (Mount(path, "/dev/x"),))

    def test_bad_container_path(self) -> None:
        """One that makes no sense is refused, naming it."""
        for path in ("", "x", "/dev/../x", "/", "/dev/\x85"):
            self.assertIn(repr(path), self.refused(container_path=path))
        self.assertIn("together", self.refused(container_path="/dev/x", together=True))

    def test_together(self) -> None:
        """All that matches is one device, which is named like the resource."""
        paths = [self.box.file(name) for name in ("a/n0", "a/n10", "b/n2")]
        scanner = self.scanner("a/n*", "b/n*", together=True)
        expected = DeviceInfo(HEALTHY, mounts=[Mount(path, path) for path in paths])
        self.assertEqual(of(scanner.discover()), {"thing": expected})
        for path in paths:
            os.unlink(path)
        self.assertEqual(of(scanner.follow(paths)), {})
        self.box.file("a/n0")
        self.assertEqual(self.ids("a/n*", together=True, count=2), ["thing-0", "thing-1"])


class WildcardDirectoryTests(GlobbingTestCase):
    """Wildcards in the directory part of a pattern."""

    def test_found(self) -> None:
        """The devices of every directory that matches are found, but not hidden ones."""
        for name in ("x/a/dev1", "x/b/dev2", "x/.c/dev3", "x/a/other"):
            self.box.file(name)
        self.assertEqual(
            self.ids("x/*/dev*"), [f"a-dev1-{digest('a/dev1')}", f"b-dev2-{digest('b/dev2')}"]
        )

    def test_watched(self) -> None:
        """The directories are watched, and the one where new ones would appear."""
        self.box.file("x/a/dev1")
        scanner = self.scanner("x/*/dev*")
        self.assertEqual(scanner.paths, [self.box.path("x")])
        scanner.discover()
        self.assertEqual(set(scanner.paths), {self.box.path("x"), self.box.path("x/a")})

    def test_new_directory(self) -> None:
        """A new directory is found and watched from then on."""
        self.box.file("x/a/dev1")
        scanner = self.scanner("x/*/dev*")
        scanner.discover()
        self.box.file("x/b/dev2")
        tree = scanner.follow({self.box.path("x/b")})
        self.assertEqual(names(tree), ["dev1", "dev2"])
        self.assertIn(self.box.path("x/b"), scanner.paths)

    def test_new_directory_among_devices(self) -> None:
        """A new directory is found when another pattern lists the place where it appears."""
        self.box.file("x/a/dev1")
        scanner = self.scanner("x/*/dev*", "x/n*")
        scanner.discover()
        self.box.file("x/b/dev2")
        tree = scanner.follow({self.box.path("x/b")})
        self.assertEqual(names(tree), ["dev1", "dev2"])

    def test_removed_directory(self) -> None:
        """The devices of a removed directory are gone."""
        self.box.file("x/a/dev1")
        self.box.file("x/b/dev2")
        scanner = self.scanner("x/*/dev*")
        scanner.discover()
        shutil.rmtree(self.box.path("x/a"))
        self.assertEqual(names(scanner.follow({self.box.path("x/a")})), ["dev2"])
        self.assertNotIn(self.box.path("x/a"), scanner.paths)

    def test_in_a_known_directory(self) -> None:
        """A device in a directory that is known needs no new listing."""
        self.box.file("x/a/dev1")
        scanner = self.scanner("x/*/dev*")
        scanner.discover()
        path = self.box.file("x/a/dev2")

        def fail(*arguments: Any) -> NoReturn:
            raise AssertionError("a directory was listed")

        self.patch(os, "listdir", fail)
        self.assertEqual(names(scanner.follow({path})), ["dev1", "dev2"])

    def test_files_among_the_directories(self) -> None:
        """Files in the place of directories are not watched and cause no complaint."""
        self.box.file("x/a/dev1")
        self.box.file("x/file")
        scanner = self.scanner("x/*/dev*")
        with capturedLogs() as events:
            self.assertEqual(names(scanner.discover()), ["dev1"])
        self.assertEqual(events, [])
        self.assertNotIn(self.box.path("x/file"), scanner.paths)

    def test_intermediate_directories(self) -> None:
        """With several wildcards, each directory where one could appear is watched."""
        self.box.file("x/a/b/dev1")
        self.box.directory("x/c")
        scanner = self.scanner("x/*/*/dev*")
        self.assertEqual(names(scanner.discover()), ["dev1"])
        self.assertLessEqual({self.box.path("x/a"), self.box.path("x/c")}, set(scanner.paths))

    def test_missing_directory_below_a_wildcard(self) -> None:
        """A fixed directory below a wildcard may appear later, so its parent is watched."""
        self.box.directory("x/a")
        scanner = self.scanner("x/*/fixed/dev*")
        self.assertEqual(of(scanner.discover()), {})
        watched = {self.box.path("x/a"), self.box.path("x/a/fixed")}
        self.assertTrue(watched & set(scanner.paths))


class MaximumTests(GlobbingTestCase):
    """`max_devices`"""

    def test_cut(self) -> None:
        """Of too many devices the first in natural order are kept; one warning says so."""
        for number in range(12):
            self.box.file(f"n{number}")
        scanner = self.scanner("n*", max_devices=11)
        with capturedLogs() as events:
            for _ in range(2):
                tree = scanner.discover()
                self.assertEqual(list(of(tree)), [f"n{number}" for number in range(11)])
        (event,) = events
        self.assertEqual(event["log_level"], LogLevel.warn)
        self.assertIn("12 devices", event["text"])
        self.assertIn("max_devices=11", event["text"])

    def test_just_so_many(self) -> None:
        """As many as allowed are no reason to warn; other names of a device do not count."""
        self.box.file("n0")
        self.box.file("n1")
        self.box.link("n2", "n0")
        with capturedLogs() as events:
            self.assertEqual(self.ids("n*", max_devices=2), ["n0", "n1"])
        self.assertEqual(events, [])

    def test_room_again(self) -> None:
        """A device that was left out is listed when there is room again."""
        paths = [self.box.file(f"n{number}") for number in range(3)]
        scanner = self.scanner("n*", max_devices=2)
        scanner.discover()
        os.unlink(paths[0])
        self.assertEqual(list(of(scanner.follow({paths[0]}))), ["n1", "n2"])

    def test_known_devices_keep_their_places(self) -> None:
        """Known devices stay listed whatever appears before them, also without room."""
        for number in (5, 6):
            self.box.file(f"n{number}")
        scanner = self.scanner("a*", "n*", max_devices=4, count=2)
        tree = scanner.discover()
        new = [self.box.file(name) for name in ("a0", "n1")]
        with capturedLogs() as events:
            self.assertEqual(scanner.follow(set(new)), tree)
            self.assertEqual(scanner.discover(), tree)
        self.assertIn("8 devices match", " ".join(event["text"] for event in events))
        os.unlink(self.box.path("n6"))
        with capturedLogs():
            self.assertEqual(
                list(of(scanner.follow({self.box.path("n6")}))), ["n5-0", "n5-1", "a0-0", "a0-1"]
            )

    def test_files_that_are_kept(self) -> None:
        """A limited number of files is kept, known ones first; the rest is counted."""
        self.patch(examiner, "_SPARE", 0)
        known = [self.box.link(f"n{number}", "/dev/null") for number in range(2)]
        scanner = self.scanner("n*", max_devices=2)
        tree = scanner.discover()
        for number in range(2, 30):
            self.box.link(f"n{number}", "/dev/null")
        with capturedLogs() as events:
            self.assertEqual(scanner.discover(), tree)
            self.assertEqual(scanner.follow({self.box.path("n29")}), tree)
        self.assertEqual(len(scanner._matches), 8)
        (event,) = events
        self.assertIn("22 more files", event["text"])
        self.assertTrue(all(scanner._matches.get(path) for path in known))


class FollowTests(GlobbingTestCase):
    """`GlobScanner.follow`"""

    def test_added_and_removed(self) -> None:
        """New files are added and vanished ones removed."""
        first = self.box.file("n0")
        scanner = self.scanner("n*")
        scanner.discover()
        second = self.box.file("n1")
        self.assertEqual(list(of(scanner.follow({second}))), ["n0", "n1"])
        os.unlink(first)
        self.assertEqual(list(of(scanner.follow({first}))), ["n1"])

    def test_nothing_of_interest(self) -> None:
        """Changes that concern no pattern, and none at all, change nothing."""
        self.box.file("n0")
        scanner = self.scanner("n*")
        tree = scanner.discover()
        for changed in ([], [self.box.file("other")], [self.box.root], ["/elsewhere/n7"]):
            self.assertEqual(scanner.follow(frozenset(changed)), tree)

    def test_kind_changes(self) -> None:
        """A file that becomes a device node, or a directory, is examined again."""
        path = self.box.file("n0")
        scanner = self.scanner("n*")
        scanner.discover()
        os.unlink(path)
        self.box.directory("n0")
        self.assertEqual(of(scanner.follow({path})), {})
        os.rmdir(path)
        self.box.node("n0")
        (info,) = of(scanner.follow({path})).values()
        self.assertEqual(info.nodes, (DeviceSpec(path, path),))

    def test_lists_nothing(self) -> None:
        """The directory is not listed again, however much it holds."""
        self.box.file("n0")
        scanner = self.scanner("n*")
        scanner.discover()
        path = self.box.file("n1")

        def fail(*arguments: Any) -> NoReturn:
            raise AssertionError("a directory was listed")

        self.patch(os, "listdir", fail)
        self.patch(os, "scandir", fail)
        self.assertEqual(list(of(scanner.follow({path}))), ["n0", "n1"])

    def test_costs_what_it_concerns(self) -> None:
        """Among many files only the changed ones are looked at and named."""
        for number in range(200):
            self.box.file(f"n{number}")
        scanner = self.scanner("n*")
        scanner.discover()
        looked_at: list[str] = []
        named: list[str] = []

        def lstat(path: str) -> os.stat_result:
            looked_at.append(path)
            return os.stat(path, follow_symlinks=False)

        def named_as(name: str) -> str:
            named.append(name)
            return device_id(name)

        self.patch(globbing, "device_id", named_as)
        paths = {self.box.file(name) for name in ("other", "n7", "n200")}
        self.patch(os, "lstat", lstat)
        self.assertEqual(len(of(scanner.follow(paths))), 201)
        below = {
            os.path.basename(path) for path in looked_at if path.startswith(f"{self.box.root}/")
        }
        self.assertEqual(below, {"n7", "n200"})
        self.assertEqual(named, ["n200"])

    def test_unchanged_devices_stay_the_same_objects(self) -> None:
        """Unchanged devices are the same objects as before, so nobody compares them again."""
        paths = {name: self.box.file(name) for name in ("n0", "n1")}
        scanner = self.scanner("n*")
        before = of(scanner.discover())
        for tree in (
            scanner.follow({self.box.file("n2")}),
            scanner.follow(paths.values()),
            scanner.discover(),
        ):
            for id_ in paths:
                self.assertIs(of(tree)[id_], before[id_])


PLACES = ["a/n0", "a/n1", "a/o d", "b/n0", "b/n10", "b/.h", "t/n0", "t/n1"]
"""Files in two directories with patterns, and in one where links lead to."""

Operation = tuple[str, str, str]

operations = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["file", "file", "remove", "link", "link", "directory"]),
            st.sampled_from(PLACES),
            st.sampled_from(PLACES),
        ),
        min_size=1,
        max_size=3,
    ),
    min_size=3,
    max_size=20,
)


class World:
    """A sandbox with a scanner, and a watcher that reports changes, as the service does."""

    def __init__(self) -> None:
        self.box = Sandbox()
        for directory in "abt":
            self.box.directory(directory)
        self.scanner = self.make()
        self.tree = self.scanner.discover()
        self.watched = set(self.scanner.paths)

    def make(self) -> GlobScanner:
        """A scanner that has seen nothing yet."""
        patterns = [self.box.path(name) for name in ("b/n1*", "a/*", "b/*", "b/.h")]
        return GlobScanner("thing", patterns, nodes_only=False)

    def change(self, batch: Sequence[Operation]) -> None:
        """Do all of `batch`, then let the scanner look."""
        changed = {self._apply(*operation) for operation in batch}
        self._follow({path for path in changed if os.path.dirname(path) in self.watched})

    def _apply(self, what: str, place: str, target: str) -> str:
        path = self.box.path(place)
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        elif os.path.lexists(path):
            os.unlink(path)
        if what == "file":
            self.box.file(place)
        elif what == "link":
            self.box.link(place, target)
        elif what == "directory":
            self.box.directory(place)
        return path

    def _follow(self, changed: Collection[str]) -> None:
        self.tree = self.scanner.follow(changed)
        while set(self.scanner.paths) - self.watched:
            self.watched = set(self.scanner.paths)
            self.tree = self.scanner.discover()  # as the service does when it watches more
        self.watched = set(self.scanner.paths)


class EquivalenceTests(SynchronousTestCase):
    """Following changes gives the same result as looking at everything."""

    @settings(max_examples=150)
    @given(operations)
    def test_follow_equals_discover(self, batches: list[list[Operation]]) -> None:
        """After any changes, follow() returns what a new scanner discovers that knows the
        same files by their links.
        """
        self.patch(globbing, "sleep", lambda _: None)
        world = World()
        try:
            for batch in batches:
                before = of(world.tree)
                world.change(batch)
                fresh = world.make()
                fresh._matches.known.update(world.scanner._matches.known)
                self.assertEqual(of(world.tree), of(fresh.discover()))
                self.assertLessEqual(set(fresh.paths), world.watched)
                for device_id, info in of(world.tree).items():
                    if before.get(device_id) == info and not any(
                        self._touched(world, info, operation) for operation in batch
                    ):
                        self.assertIs(info, before[device_id])
        finally:
            world.box.remove()

    def _touched(self, world: World, info: DeviceInfo, operation: Operation) -> bool:
        """Whether an operation concerned a device's own paths."""
        path = world.box.path(operation[1])
        return any(path in (mount.host_path, mount.container_path) for mount in info.mounts)
