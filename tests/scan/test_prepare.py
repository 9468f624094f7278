"""Tests for `twistdp.scan.prepare`."""

import errno
import os
from collections.abc import Iterable
from typing import Any, cast

import attrs
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from twistdp.errors import BadTree
from twistdp.model.acceptance import Update
from twistdp.model.devices import HEALTHY, UNHEALTHY, DeviceInfo, DeviceSpec, DeviceTree
from twistdp.scan import prepare as prepare_module
from twistdp.scan.prepare import Preparation
from twistdp.scan.vetting import Vetting


def device(name: str, **fields: Any) -> DeviceInfo:
    """A device with one node."""
    return DeviceInfo(HEALTHY, nodes=[DeviceSpec(f"/dev/{name}", f"/dev/{name}")], **fields)


def tree_of(**infos: Any) -> DeviceTree:
    """A tree with devices of one type."""
    tree = DeviceTree()
    tree.add_devices("thing", infos)
    return tree


class PreparationTests(SynchronousTestCase):
    """`Preparation` with a fake sysfs, which records lookups."""

    def setUp(self) -> None:
        """Make one."""
        self.looked_up: list[str] = []
        self.exhausted = False
        case = self

        class FakeTopology:
            """Says node 3 of everything but the device x."""

            def __init__(self, sysfs: str) -> None:
                case.assertEqual(sysfs, "/there")

            def nodes(self, paths: Iterable[str]) -> tuple[int, ...] | None:
                if case.exhausted:
                    raise OSError(errno.EMFILE, "too many")
                found = list(paths)
                case.looked_up += found
                return None if found == ["/dev/x"] else (3,)

        self.patch(prepare_module, "Topology", FakeTopology)
        self.prepare = Preparation("acme:Scanner", "x.example.com", "/there")

    def scanned(self, **infos: Any) -> Update:
        """Return the update of a scan that changes something."""
        return self.prepare(tree_of(**infos))["thing"]

    def test_equal_devices(self) -> None:
        """Equal devices of two trees are the same objects, and looked up once."""
        first = self.scanned(a=device("a"), b=device("b"))
        second = self.scanned(a=device("a"), b=device("b", group="x"), c=device("c"))
        self.assertIs(second.devices["a"], first.devices["a"])
        self.assertEqual(second.devices["b"].group, "x")
        self.assertEqual((list(second.devices), second.changed), (["a", "b", "c"], ["b", "c"]))
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

    def test_sightings(self) -> None:
        """Sightings learn of devices that are new, moved or gone, also with their type."""
        looks: list[Any] = []

        def look(resource: str, gone: Iterable[str], fresh: Iterable[str]) -> None:
            looks.append((resource, sorted(gone), sorted(fresh)))

        prepare = Preparation("acme:Scanner", "x.example.com", "/there", look)
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

    def test_numa(self) -> None:
        """Nodes are looked up, or given; a device without any has none, and one that is gone."""
        infos = {
            "a": device("a"),
            "b": device("b", topology=[1, 2]),
            "c": device("c", topology=None),
            "x": device("x"),
        }
        self.assertEqual(self.scanned(**infos).numa, {"a": (3,), "b": (1, 2)})
        self.assertEqual(self.looked_up, ["/dev/a", "/dev/x"])
        infos["b"] = device("b", topology=None)
        self.assertEqual(self.scanned(**infos).numa, {"a": (3,)})
        del infos["a"]
        self.assertEqual(self.scanned(**infos).numa, {})

    def test_error(self) -> None:
        """After any error the next tree still has all that is new."""

        def look(resource: str, gone: Iterable[str], fresh: Iterable[str]) -> None:
            raise MemoryError

        self.prepare = Preparation("acme:Scanner", "a.b", "/there", look)
        for _ in range(2):
            self.assertRaises(MemoryError, self.prepare, tree_of(a=device("a")))
        self.prepare._sightings = None
        self.assertEqual(self.scanned(a=device("a")).changed, ["a"])

    def test_exhausted(self) -> None:
        """Want of descriptors is not an unknown node: the next scan finds all that is new."""
        self.scanned(a=device("a"))
        self.exhausted = True
        self.assertRaises(OSError, self.prepare, tree_of(b=device("b")))
        self.exhausted = False
        update = self.scanned(b=device("b"))
        self.assertEqual((update.changed, update.removed, update.numa), (["b"], ["a"], {"b": (3,)}))

    def test_no_difference(self) -> None:
        """A type without a difference has no update."""
        for expected in (["thing"], [], []):
            self.assertEqual(list(self.prepare(tree_of(a=device("a")))), expected)

    def test_copy(self) -> None:
        """The scanner may go on to change its tree."""
        tree = tree_of(a=device("a"))
        update = self.prepare(tree)["thing"]
        tree.add_device("thing", "b", device("b"))
        self.assertEqual(list(update.devices), ["a"])

    def test_repeated(self) -> None:
        """A device that a scan adds twice is logged; one that is added later has changed."""
        tree = tree_of(a=device("a"), b=device("b"))
        for name, lines in (("a", 1), ("b", 0)):
            tree.add_device("thing", name, device("c"))
            with capturedLogs() as events:
                self.prepare(tree)
            self.assertEqual(len(events), lines)

    def test_vetting(self) -> None:
        """Each tree is vetted, with what its scanner has checked."""
        steps: list[Any] = []

        class Refusing(Vetting):
            """Refuses the device b."""

            def begin(self) -> None:
                """Note it."""
                steps.append("begin")

            def refused(
                self, kind: str, devices: Any, changed: Any, *, checked: Any = ()
            ) -> dict[str, str]:
                """Note it."""
                steps.append((kind, list(changed), checked))
                return {"b": "because"}

        self.prepare = Preparation("acme:Scanner", "a.b", "/there", vetting=Refusing())
        infos = {"a": device("a"), "b": device("b")}
        first, second = tree_of(**infos), tree_of(**infos)
        first.checked = {"/dev/a"}
        with capturedLogs():
            update = self.prepare(first)["thing"]
            self.assertEqual(self.prepare(second), {})
        self.assertEqual(list(update.devices), ["a"])
        self.assertEqual(
            steps,
            ["begin", ("thing", ["a", "b"], {"/dev/a"}), "begin", ("thing", ["b"], ())],
        )

    def test_no_tree(self) -> None:
        """A directory that others may change meanwhile is noticed with the next tree."""
        directory = temporary_directory(self)
        node = DeviceSpec(f"{directory}/a", "/dev/a")
        self.prepare = Preparation("acme:Scanner", "a.b", "/there", vetting=Vetting())
        infos = {"a": DeviceInfo(HEALTHY, nodes=[node])}
        self.assertEqual(self.scanned(**infos).changed, ["a"])
        os.chmod(directory, 0o777)
        self.assertRaises(BadTree, self.prepare, cast("DeviceTree", None))
        with capturedLogs():
            self.assertEqual(self.scanned(**infos).removed, ["a"])

    def test_refused(self) -> None:
        """A refused device is logged once, and not looked up."""
        for lines in (2, 0):
            tree = tree_of(a=5, b=device("b"))
            tree.add_device("no type", "c", device("c"))
            with capturedLogs() as events:
                self.prepare(tree)
            texts = [formatEvent(event) for event in events]
            self.assertEqual(len(texts), lines, texts)
            for text in texts:
                self.assertIn("scanner acme:Scanner: left out", text)
        self.assertEqual(self.looked_up, ["/dev/b"])
