"""Tests for `twistdp.devices`."""

from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from twistdp.devices import AUTO, HEALTHY, UNHEALTHY, DeviceInfo, DeviceSpec, DeviceTree, Mount

GOOD = DeviceInfo(HEALTHY)


def tree_of(*entries: tuple[Any, Any, Any]) -> DeviceTree:
    """A tree of types, ids and infos."""
    tree = DeviceTree()
    for resource_type, device_id, info in entries:
        tree.add_device(resource_type, device_id, info)
    return tree


def with_node(host: Any = "/dev/x", container: Any = "/dev/x", permissions: Any = "rw") -> Any:
    """A healthy device with one node."""
    return DeviceInfo(HEALTHY, nodes=[DeviceSpec(host, container, permissions)])


class DeviceInfoTests(SynchronousTestCase):
    """A device is a value."""

    def test_frozen(self) -> None:
        """Neither a device nor its parts can be changed."""
        for value, field in (
            (GOOD, "state"),
            (DeviceSpec("/a", "/a"), "host_path"),
            (Mount("/a", "/a"), "read_only"),
        ):
            self.assertRaises(attrs.exceptions.FrozenInstanceError, setattr, value, field, "x")
        envs: Any = DeviceInfo(HEALTHY, envs={"A": "1"}).envs
        annotations: Any = DeviceInfo(HEALTHY, annotations={"a": "1"}).annotations
        for texts in (envs, annotations):
            with self.assertRaises(TypeError):
                texts["x"] = "y"

    def test_copies(self) -> None:
        """What a scanner does to its lists and dicts later leaves the device alone."""
        nodes = [DeviceSpec("/dev/a", "/dev/a")]
        mounts = [Mount("/a", "/a")]
        envs = {"A": "1"}
        annotations = {"a": "1"}
        info = DeviceInfo(HEALTHY, nodes=nodes, mounts=mounts, envs=envs, annotations=annotations)
        same = DeviceInfo(
            HEALTHY,
            nodes=tuple(nodes),
            mounts=tuple(mounts),
            envs=dict(envs),
            annotations=dict(annotations),
        )
        for part in (nodes, mounts, envs, annotations):
            part.clear()
        self.assertEqual(info, same)
        self.assertEqual(len(info.nodes), 1)
        self.assertEqual(len(info.mounts), 1)
        self.assertEqual(info.envs, {"A": "1"})
        self.assertEqual(info.annotations, {"a": "1"})

    def test_equality(self) -> None:
        """Devices are equal when all that is said of them is, and equal ones hash alike."""
        one, same = with_node(), with_node()
        self.assertEqual(one, same)
        self.assertEqual(hash(one), hash(same))
        for other in (
            attrs.evolve(one, state=UNHEALTHY),
            attrs.evolve(one, nodes=()),
            attrs.evolve(one, mounts=[Mount("/a", "/a")]),
            attrs.evolve(one, envs={"A": "1"}),
            attrs.evolve(one, annotations={"a": "1"}),
            attrs.evolve(one, reason="hot"),
        ):
            self.assertNotEqual(one, other)

    def test_nothing_is_refused(self) -> None:
        """Constructing nonsense does not raise, so that it costs no other device."""
        info: Any = DeviceInfo
        info(None, nodes=5, mounts="x", envs=[], annotations=None, reason=7)

    def test_defaults(self) -> None:
        """A device needs a state only; a node is read and written, a mount is writable."""
        self.assertEqual(GOOD, DeviceInfo(HEALTHY, (), (), {}, {}, AUTO, None, None, ""))
        self.assertEqual(DeviceSpec("/a", "/b"), DeviceSpec("/a", "/b", "rw"))
        self.assertEqual(DeviceSpec("/a"), DeviceSpec("/a", "/a"))
        self.assertEqual(DeviceSpec("/a", permissions="r"), DeviceSpec("/a", "/a", "r"))
        self.assertEqual(Mount("/a", "/b"), Mount("/a", "/b", False))


class DeviceTreeTests(SynchronousTestCase):
    """A tree collects devices by type and id."""

    def test_lookup(self) -> None:
        """Types are iterated, counted and looked up in the order in which they appeared."""
        tree = tree_of(("b", "1", GOOD), ("a", "1", GOOD), ("b", "2", GOOD))
        self.assertEqual(list(tree), ["b", "a"])
        self.assertEqual(len(tree), 2)
        self.assertEqual(list(tree["b"]), ["1", "2"])
        self.assertRaises(KeyError, lambda: tree["c"])

    def test_replaces(self) -> None:
        """A device that is added again under its type and id replaces the first."""
        other = DeviceInfo(UNHEALTHY)
        self.assertEqual(tree_of(("a", "1", GOOD), ("a", "1", other)), tree_of(("a", "1", other)))

    def test_what_it_gives_is_read_only(self) -> None:
        """The devices of a type cannot be changed through the mapping that a look-up gives."""
        found: Any = tree_of(("a", "1", GOOD))["a"]
        with self.assertRaises(TypeError):
            found["2"] = GOOD

    def test_equality(self) -> None:
        """Trees are equal by content, differ from other things, and have no hash."""
        tree = tree_of(("a", "1", GOOD))
        self.assertEqual(tree, tree_of(("a", "1", GOOD)))
        self.assertNotEqual(tree, tree_of(("a", "2", GOOD)))
        self.assertNotEqual(tree, {"a": {"1": GOOD}})
        self.assertRaises(TypeError, hash, tree)

    def test_repr(self) -> None:
        """Its representation shows what is in it."""
        self.assertEqual(repr(tree_of(("a", "1", 5))), "DeviceTree({'a': {'1': 5}})")
