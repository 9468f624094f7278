"""Tests for `twistdp.scan.prepare`."""

import errno
from collections.abc import Iterable
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from twistdp.host import numa
from twistdp.host.numa import NumaNodes
from twistdp.model.devices import HEALTHY, UNHEALTHY, DeviceInfo, DeviceSpec, DeviceTree
from twistdp.scan.prepare import Preparation
from twistdp.scan.sightings import Sightings


def device(name: str, **fields: Any) -> DeviceInfo:
    """A device with one node."""
    return DeviceInfo(HEALTHY, nodes=[DeviceSpec(f"/dev/{name}", f"/dev/{name}")], **fields)


def tree_of(**infos: Any) -> DeviceTree:
    """A tree with devices of one type."""
    tree = DeviceTree()
    tree.add_devices("thing", infos)
    return tree


class PreparingTestCase(SynchronousTestCase):
    """Has a sysfs that is not one, and records what is looked up in it."""

    def setUp(self) -> None:
        """Make it."""
        self.looked_up: list[str] = []
        self.exhausted = False
        case = self

        class FakeTopology:
            """Says node 3 of everything."""

            def __init__(self, sysfs: str) -> None:
                case.assertEqual(sysfs, "/there")

            def nodes(self, paths: Iterable[str]) -> tuple[int, ...]:
                if case.exhausted:
                    raise OSError(errno.EMFILE, "too many")
                case.looked_up += paths
                return (3,)

            def has_node(self, node: int) -> bool:
                """There is no other."""
                return node == 3

        self.patch(numa, "Topology", FakeTopology)
        self.numa = NumaNodes("/there")


class PreparationTests(PreparingTestCase):
    """`Preparation`"""

    def setUp(self) -> None:
        """Make one."""
        super().setUp()
        self.prepare = Preparation(self.numa)

    def test_equal_devices(self) -> None:
        """Equal devices of two trees are the same objects, and looked up once."""
        first = self.prepare(tree_of(a=device("a"), b=device("b")))
        second = self.prepare(tree_of(a=device("a"), b=device("b", group="x"), c=device("c")))
        self.assertIs(second["thing"]["a"], first["thing"]["a"])
        self.assertEqual(second["thing"]["b"].group, "x")
        self.assertEqual(list(second["thing"]), ["a", "b", "c"])
        self.assertEqual(self.looked_up, ["/dev/a", "/dev/b", "/dev/c"])

    def test_health(self) -> None:
        """A device that only changes its health is not looked up again."""
        one = device("a")
        self.prepare(tree_of(a=one))
        self.prepare(tree_of(a=attrs.evolve(one, state=UNHEALTHY)))
        self.assertEqual(self.looked_up, ["/dev/a"])

    def test_other_nodes(self) -> None:
        """A device with other nodes than before is looked up again, and so is an odd one."""

        class Odd(DeviceSpec):
            """Cannot be compared."""

            def __eq__(self, other: object) -> bool:
                raise ValueError("ambiguous")

            __hash__ = None  # type: ignore[assignment]

        odd = [DeviceInfo(HEALTHY, nodes=[Odd("/dev/odd", "/dev/odd")]) for _ in range(2)]
        for info in (device("a"), device("b"), *odd):
            self.prepare(tree_of(x=info))
        self.assertEqual(self.looked_up, ["/dev/a", "/dev/b", "/dev/odd", "/dev/odd"])

    def test_types_that_are_none(self) -> None:
        """What names no resource, and cannot even be shown, is left to `accept`."""

        class Mute:
            """Cannot be shown."""

            def __repr__(self) -> str:
                raise RuntimeError("no repr")

        tree = DeviceTree()
        for kind in (Mute(), 10**5000):
            tree.add_device(kind, "a", device("a"))  # type: ignore[arg-type]
        prepared = Preparation(self.numa, "x.example.com", Sightings())(tree)
        self.assertEqual(list(prepared), list(tree))

    def test_sightings(self) -> None:
        """What is new, has other nodes or is gone is noted, of types that are gone too."""
        looks: list[Any] = []

        class Recording(Sightings):
            """Keeps what it is told."""

            def look(self, resource: str, gone: Iterable[str], fresh: Any) -> None:
                """Keep it."""
                looks.append((resource, sorted(gone), sorted(fresh)))

        prepare = Preparation(self.numa, "x.example.com", Recording())
        one = device("a")
        for tree in (
            tree_of(a=one, b=device("b")),
            tree_of(a=attrs.evolve(one, state=UNHEALTHY), c=device("c")),
            DeviceTree(),
        ):
            prepare(tree)
        self.assertEqual(
            looks,
            [
                ("x.example.com/thing", [], ["a", "b"]),
                ("x.example.com/thing", ["b"], ["c"]),
                ("x.example.com/thing", ["a", "c"], []),
            ],
        )

    def test_gone_and_back(self) -> None:
        """A device that was gone is looked up again: it may be plugged in elsewhere."""
        for tree in (tree_of(a=device("a")), tree_of(), tree_of(a=device("a"))):
            self.prepare(tree)
        self.assertEqual(self.looked_up, ["/dev/a", "/dev/a"])

    def test_copy(self) -> None:
        """The scanner may go on to change its tree."""
        tree = tree_of(a=device("a"))
        prepared = self.prepare(tree)
        tree.add_device("thing", "b", device("b"))
        self.assertEqual(list(prepared["thing"]), ["a"])

    def test_repeated(self) -> None:
        """What a scan added twice stays known; what it adds to the same tree later has changed."""
        tree = tree_of(a=device("a"))
        tree.add_device("thing", "a", device("b"))
        self.assertEqual(self.prepare(tree).repeated, {("thing", "a")})
        tree.add_device("thing", "a", device("c"))
        self.assertEqual(self.prepare(tree).repeated, set())

    def test_nonsense(self) -> None:
        """What is refused later passes."""
        tree = tree_of(a=5, b=device("b"))
        tree.add_device(7, 8, None)  # type: ignore[arg-type]
        for _ in range(2):
            self.assertEqual(self.prepare(tree), tree)
