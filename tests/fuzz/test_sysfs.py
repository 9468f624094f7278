"""Impossible trees of sysfs: a look-up of NUMA nodes ends, stays inside, and logs nothing."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz.support import MEMORY, fuzzed
from twistdp.host.topology import Topology

NUMBERS = ("1:3", "8:0", "253:0")
PLACES = (
    *(f"dev/{kind}/{numbers}" for kind in ("char", "block") for numbers in NUMBERS),
    *(f"devices/{name}" for name in ("a", "a/b", "a/b/c", "virtual/block/dm-0", "a/vfio/7")),
    *(f"devices/{name}/numa_node" for name in ("a", "a/b", "a/b/c", "a/vfio/7")),
    *("devices/a/b/slaves", "devices/a/b/slaves/x", "devices/a/b/subsystem"),
    *("kernel/iommu_groups/7/devices", "kernel/iommu_groups/7/devices/x"),
    *("devices/system/node", "devices/system/node/node0", "devices/system/node/node1"),
)
"""Where something may be; what has a `numa_node` in the tree's middle is a directory, usually."""

contents = st.one_of(
    st.sampled_from([b"0\n", b"1\n", b"-1\n", b"", b"1023", b"99999", b" 1 ", b"\xff", b"1\0"]),
    st.binary(max_size=20),
    st.just(b"1" * 100_000),
)
targets = st.one_of(
    st.sampled_from([f"../../{place}" for place in PLACES]),
    st.sampled_from(["../../devices/a", "../../devices/a/b", "../../devices/a/b/c"]),
    st.sampled_from(
        [".", "..", "../..", "../../..", "/", "/outside", "../../../outside", "\udcff"]
    ),
    st.just("x/" * 1000),
)
things = st.one_of(
    st.just(("directory", None)),
    st.tuples(st.just("file"), contents),
    st.tuples(st.just("link"), targets),
    st.tuples(st.just("link"), targets),
    st.just(("fifo", None)),
)
trees = st.dictionaries(st.sampled_from(PLACES), things, max_size=14)


class Tree:
    """A sysfs, and beside it what must not be looked at."""

    def __init__(self, things: dict[str, tuple[str, Any]]) -> None:
        self.top = tempfile.mkdtemp(prefix="fuzz-", dir=MEMORY)
        self.root = os.path.join(self.top, "sys")
        os.makedirs(os.path.join(self.top, "outside"))
        with open(os.path.join(self.top, "outside", "numa_node"), "w", encoding="ascii") as file:
            file.write("1\n")
        for place in sorted(things):
            with contextlib.suppress(OSError):  # something else is in the way already
                self.make(os.path.join(self.root, place), *things[place])

    def make(self, path: str, kind: str, content: Any) -> None:
        """Make one thing, and the directories above it."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if kind == "directory":
            os.mkdir(path)
        elif kind == "fifo":
            os.mkfifo(path)
        elif kind == "link":
            os.symlink(content, path)
        else:
            with open(path, "xb") as file:
                file.write(content)

    def __enter__(self) -> "Tree":
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.top)


@contextlib.contextmanager
def opened(case: SynchronousTestCase) -> Iterator[list[str]]:
    """The real paths of what is opened or listed while the block runs."""
    paths: list[str] = []
    real_open, real_list = os.open, os.listdir

    def note_open(path: str, *more: Any, **named: Any) -> int:
        file = real_open(path, *more, **named)
        paths.append(os.readlink(f"/proc/self/fd/{file}"))
        return file

    def note_list(path: str) -> list[str]:
        paths.append(os.path.realpath(path))
        return real_list(path)

    patches = [case.patch(os, "open", note_open), case.patch(os, "listdir", note_list)]
    try:
        yield paths
    finally:
        for patch in patches:
            patch.restore()


class TopologyTests(SynchronousTestCase):
    """`Topology` in any tree."""

    def look(self, root: str) -> None:
        """Ask for everything; answers are sets of nodes that can be."""
        known = Topology(root)
        for kind in ("char", "block"):
            for numbers in NUMBERS:
                major, minor = map(int, numbers.split(":"))
                nodes = known.of_device(kind, major, minor)
                self.assertLessEqual(nodes, set(range(1024)))
        self.assertIsInstance(known.nodes(["/dev/null", "/dev/\0", "/\udcff", ""]), tuple | None)

    @fuzzed(150, trees)
    def test_any_tree(self, things: dict[str, tuple[str, Any]]) -> None:
        """Loops, pipes and links to elsewhere lead to an answer, and nowhere outside."""
        with Tree(things) as tree, opened(self) as paths:
            self.look(tree.root)
            self.assertEqual([p for p in paths if not p.startswith(f"{tree.root}/")], [])

    @fuzzed(60, trees, st.integers(0, 30), st.sampled_from([errno.EACCES, errno.EIO, errno.ENOENT]))
    def test_any_failure(self, things: dict[str, tuple[str, Any]], when: int, number: int) -> None:
        """A file that becomes unreadable at any moment counts as unknown."""
        with Tree(things) as tree:
            left = [when]

            def failing(real: Any) -> Any:
                def call(*arguments: Any, **named: Any) -> Any:
                    left[0] -= 1
                    if left[0] < 0:
                        raise OSError(number, os.strerror(number))
                    return real(*arguments, **named)

                return call

            names = ("open", "read", "listdir", "readlink", "lstat")
            patches = [self.patch(os, name, failing(getattr(os, name))) for name in names]
            try:
                self.look(tree.root)
            finally:
                for patch in patches:
                    patch.restore()

    @fuzzed(60, trees, st.integers(0, 12))
    def test_vanishing(self, things: dict[str, tuple[str, Any]], when: int) -> None:
        """A tree that vanishes in the middle of a look-up leads to an answer."""
        with Tree(things) as tree:
            left = [when]
            real = os.lstat

            def lstat(path: str, **more: Any) -> os.stat_result:
                left[0] -= 1
                if left[0] == 0:
                    shutil.rmtree(os.path.join(tree.root, "devices"), ignore_errors=True)
                return real(path, **more)

            patch = self.patch(os, "lstat", lstat)
            try:
                self.look(tree.root)
            finally:
                patch.restore()

    def test_unreadable(self) -> None:
        """Without the right to read a tree, everything is unknown."""
        if os.geteuid() != 0:
            self.skipTest("giving up rights for a while needs root")
        with Tree(
            {
                "dev/char/1:3": ("link", "../../devices/a/b"),
                "devices/a/b": ("directory", None),
                "devices/a/b/numa_node": ("file", b"1\n"),
            }
        ) as tree:
            os.chmod(tree.top, 0o755)
            self.assertEqual(Topology(tree.root).of_device("char", 1, 3), {1})
            for mode, path in ((0, "devices/a/b/numa_node"), (0, "devices/a"), (0, "dev")):
                path = os.path.join(tree.root, path)
                before = os.stat(path).st_mode
                os.chmod(path, mode)
                os.seteuid(65534)
                try:
                    self.assertEqual(Topology(tree.root).of_device("char", 1, 3), set())
                finally:
                    os.seteuid(0)
                os.chmod(path, before)
