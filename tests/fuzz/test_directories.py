"""Directories with files of any name and kind, that come and go while they are looked at."""

import errno
import os
import shutil
import socket
import stat
import tempfile
import threading
from collections.abc import Callable

from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.fuzz.support import MEMORY, Lines, check_lines, fuzzed
from tests.support.helpers import temporary_directory
from tests.support.kubelets import PatientKubelet
from twistdp import DeviceTree, Manager, Settings
from twistdp.model.acceptance import accept
from twistdp.scanners.globbing import GlobScanner


def _file(path: bytes) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))


def _socket(path: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path)


def _node(path: bytes) -> None:
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))


def _chain(path: bytes) -> None:
    """A chain of more links than can be followed, or than Python's stack is deep."""
    directory = path + b".chain"
    os.mkdir(directory)
    for number in range(1200):
        os.symlink(b"%d" % (number + 1), os.path.join(directory, b"%d" % number))
    _file(os.path.join(directory, b"1200"))
    os.symlink(os.path.join(directory, b"0"), path)


def _link(target: bytes) -> Callable[[bytes], None]:
    return lambda path: os.symlink(target, path)


KINDS: dict[str, Callable[[bytes], None]] = {
    "file": _file,
    "directory": os.mkdir,
    "fifo": os.mkfifo,
    "socket": _socket,
    "link to itself": lambda path: os.symlink(os.path.basename(path), path),
    "link to a": _link(b"a"),
    "link to b": _link(b"b"),
    "link to the directory": _link(b"."),
    "link to no UTF-8": _link(b"\xff\xfe"),
    "link to nowhere": _link(b"/nonexistent/\xff/x"),
    "link to what is no directory": _link(b"/dev/null/x"),
    "link to the outside": _link(b"../../../../../../../../dev/null"),
    "link of the longest target": _link(b"x/" * 2000 + b"x"),
    "link of a line": _link(b"a\nE0101 forged"),
}
if os.geteuid() == 0:
    KINDS["device"] = _node

names = st.one_of(
    st.sampled_from(
        [b"a", b"b", b"a0", b"a\n", b"-", b".hidden", b"\xff", b"a" * 255, b"*", b"[a]"]
    ),
    st.binary(min_size=1, max_size=255),
    st.text(min_size=1, max_size=60).map(lambda text: text.encode("utf-8", "replace")),
).filter(lambda name: not {0, 47} & set(name) and name not in (b".", b"..") and len(name) < 256)
contents = st.dictionaries(names, st.sampled_from(sorted(KINDS)), max_size=8)


class Box:
    """A directory of one input."""

    def __init__(self) -> None:
        self.root = os.path.realpath(tempfile.mkdtemp(prefix="fuzz-", dir=MEMORY))

    def __enter__(self) -> "Box":
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(os.fsencode(self.root))

    def path(self, name: bytes) -> bytes:
        """The path of a file here."""
        return os.path.join(os.fsencode(self.root), name)

    def make(self, name: bytes, kind: str) -> None:
        """Make a file of a kind."""
        try:
            KINDS[kind](self.path(name))
        except OSError as error:
            if "too long" not in str(error):  # of a socket's path
                raise

    def watched(self, name: bytes) -> set[str]:
        """The paths that are reported when something happens to a file here.

        A directory that is watched by several names reports by each of them.
        """
        here = os.fsencode(self.root)
        links = (self.path(entry) for entry in os.listdir(here))
        directories = [here, *(link for link in links if os.path.realpath(link) == here)]
        return {os.fsdecode(os.path.join(directory, name)) for directory in directories}

    def remove(self, name: bytes) -> None:
        """Remove whatever it is."""
        path = self.path(name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)


class GlobTests(SynchronousTestCase):
    """`GlobScanner` in any directory."""

    def setUp(self) -> None:
        """Listen."""
        self.lines = Lines(self)

    def check(self, tree: DeviceTree) -> None:
        """Everything found is accepted, and logged in single lines."""
        self.assertEqual(accept(tree).refusals, ())
        check_lines(self, self.lines.take(), 102)

    def assert_good(self, tree: DeviceTree) -> None:
        """The good file is there; a link to its directory may show another of its name."""
        self.assertIn("good", {id_.partition("-")[0] for id_ in tree["x"]})

    @fuzzed(100, contents, st.lists(st.tuples(names, st.sampled_from(sorted(KINDS))), max_size=4))
    def test_any_files(self, content: dict[bytes, str], changes: list[tuple[bytes, str]]) -> None:
        """A device is found whatever lies beside it; following changes gives the same result."""
        with Box() as box:
            for name, kind in content.items():
                box.make(name, kind)
            box.remove(b"good")
            box.make(b"good", "file")
            scanner = GlobScanner("x", [f"{box.root}/*", f"{box.root}/*/*"], nodes_only=False)
            tree = scanner.discover()
            self.check(tree)
            self.assert_good(tree)
            for name, kind in changes:
                box.remove(name)
                box.make(name, kind)
                tree = scanner.follow(box.watched(name))
                self.check(tree)
            again = GlobScanner("x", [f"{box.root}/*", f"{box.root}/*/*"], nodes_only=False)
            self.assertEqual(tree, again.discover())

    def test_chain(self) -> None:
        """Chains of links that nobody can follow cost only themselves."""
        with Box() as box:
            _chain(box.path(b"long"))
            box.make(b"good", "file")
            os.symlink(b"long/deeper", box.path(b"through"))
            root = box.root
            for more in ("long.chain", "long"):
                scanner = GlobScanner("x", f"{root}/*,{root}/{more}/*", nodes_only=False)
                self.assertIn("good", scanner.discover()["x"])
                followed = scanner.follow({f"{root}/long", f"{root}/long/x", f"{root}/through"})
                self.assertIn("good", followed["x"])
            self.assertTrue(any("symbolic links" in line for line in self.lines.take()))

    def test_link_that_goes(self) -> None:
        """A link that goes between two looks at it is a file less, and no failure."""
        with Box() as box:
            os.mkdir(box.path(b"real"))
            os.symlink(b"real", box.path(b"link"))
            box.make(b"good", "file")
            scanner = GlobScanner("x", f"{box.root}/*,{box.root}/link/*", nodes_only=False)

            def readlink(path: str) -> str:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

            self.patch(os, "readlink", readlink)
            self.assertEqual(list(scanner.discover()["x"]), ["good"])
            self.assertEqual(list(scanner.follow({f"{box.root}/link"})["x"]), ["good"])

    def test_complaints_end(self) -> None:
        """A user who creates ignored files, one after the other, does not fill the disk."""
        with Box() as box:
            scanner = GlobScanner("x", f"{box.root}/*", nodes_only=False)
            for number in range(300):
                box.make(b"\xff%d" % number, "file")
            scanner.discover()
            check_lines(self, self.lines.take(), 101)
            box.make(b"\xfe", "file")
            scanner.discover()
            check_lines(self, self.lines.take(), 0)

    def test_ten_thousand(self) -> None:
        """Very many files of all names are all found."""
        with Box() as box:
            for number in range(10_000):
                box.make(b"\xc3\xa9%d?" % number, "file")
            tree = GlobScanner("x", f"{box.root}/*", nodes_only=False).discover()
            self.assertEqual(len(tree["x"]), 10_000)
            self.check(tree)

    def test_quick_changes(self) -> None:
        """Files that come, go and change their kind during scans do not end one, nor fill a log."""
        with Box() as box:
            box.make(b"good", "file")
            over = threading.Event()

            def change() -> None:
                kinds = sorted(KINDS)
                number = 0
                while not over.is_set():
                    number += 1
                    name = b"%d" % (number % 7)
                    box.remove(name)
                    box.make(name, kinds[number % len(kinds)])
                    if number % 5 == 0:
                        box.remove(b"directory")
                        os.mkdir(box.path(b"directory"))
                        _file(box.path(b"directory/x"))

            thread = threading.Thread(target=change)
            thread.start()
            try:
                patterns = [f"{box.root}/*", f"{box.root}/*/*"]
                scanner = GlobScanner("x", patterns, nodes_only=False)
                most = 3 + len(patterns)  # complaints, and what matches nothing or does again
                for _ in range(60):
                    self.assert_good(scanner.discover())
                    check_lines(self, self.lines.take(), most)
                    changed = {f"{box.root}/{number}" for number in range(7)}
                    self.assert_good(scanner.follow(changed))
                    check_lines(self, self.lines.take(), most)
            finally:
                over.set()
                thread.join()


class WatchedTests(TestCase):
    """Names that are not UTF-8 in a directory that is watched, the whole way to the kubelet."""

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """A kubelet, and a directory of devices."""
        self.lines = Lines(self)
        self.plugins = temporary_directory(self)
        self.watched = os.fsencode(temporary_directory(self))
        self.kubelet = PatientKubelet(self.plugins, force=True)
        self.addCleanup(self.kubelet.stop)
        await self.kubelet.start()

    def manage(self, *patterns: bytes) -> None:
        """Serve the files that match."""
        texts = [os.fsdecode(os.path.join(self.watched, pattern)) for pattern in patterns]
        scanner = GlobScanner("x", texts, nodes_only=False)
        scanner.rescan_interval = 3600.0  # only events help
        manager = Manager("a.example.com", scanner, settings=Settings(plugin_dir=self.plugins))
        manager.startService()
        self.addCleanup(manager.stopService)

    def make(self, name: bytes) -> None:
        """Make a file."""
        _file(os.path.join(self.watched, name))

    async def listed(self, *ids: str) -> None:
        """The kubelet has these devices."""
        await self.kubelet.listed("a.example.com/x", ids)

    async def test_before_at_and_after(self) -> None:
        """Devices that appear before, together with and after such a name are all served."""
        self.make(b"\xff\xfe-first")
        self.make(b"a")
        self.manage(b"*")
        await self.listed("a")
        self.make(b"b")
        await self.listed("a", "b")
        self.make(b"\xff")  # in one read with the next two
        self.make(b"c")
        self.make(b"\xc3")
        await self.listed("a", "b", "c")
        os.rename(os.path.join(self.watched, b"\xff"), os.path.join(self.watched, b"d"))
        await self.listed("a", "b", "c", "d")
        os.rename(os.path.join(self.watched, b"a"), os.path.join(self.watched, b"\xfe\n"))
        await self.listed("b", "c", "d")
        os.unlink(os.path.join(self.watched, b"\xc3"))
        os.unlink(os.path.join(self.watched, b"b"))
        await self.listed("c", "d")
        self.assertEqual(self.lines.failures, [])

    async def test_directory(self) -> None:
        """A directory with such a name is watched too; its files are reachable by links only."""
        os.symlink(b"\xff/device", os.path.join(self.watched, b"link"))
        self.make(b"a")
        self.manage(b"*", b"\xff/*")
        await self.listed("a")
        for _ in range(2):
            os.mkdir(os.path.join(self.watched, b"\xff"))
            self.make(b"\xff/device")
            self.make(b"b")
            await self.listed("a", "b", "link")
            shutil.rmtree(os.path.join(self.watched, b"\xff"))
            os.unlink(os.path.join(self.watched, b"b"))
            await self.listed("a")
        self.assertEqual(self.lines.failures, [])
