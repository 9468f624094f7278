"""Tests for `twistdp.model.devices`."""

import inspect
import os
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from twistdp.errors import BadDevice
from twistdp.model.devices import (
    AUTO,
    HEALTHY,
    UNHEALTHY,
    DeviceInfo,
    DeviceSpec,
    DeviceTree,
    Mount,
)

GOOD = DeviceInfo(HEALTHY)
SURROGATE = os.fsdecode(b"/dev/\xff")


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
        """A device does not change with the lists and dicts that it was made of."""
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
        """Devices are equal when all fields are, and equal ones have equal hashes."""
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

    def test_signature(self) -> None:
        """help() shows the type of each part."""
        kinds = {
            name: str(parameter.annotation)
            for name, parameter in inspect.signature(DeviceInfo).parameters.items()
        }
        self.assertEqual(kinds["envs"], "collections.abc.Mapping[str, str]")
        self.assertIn("Sequence[twistdp.model.devices.DeviceSpec]", kinds["nodes"])
        self.assertIn("Sequence[int]", kinds["topology"])
        self.assertNotIn("Any", "".join(kinds.values()))

    def test_defaults(self) -> None:
        """A device needs a state only; a node is read and written, a mount is writable."""
        self.assertEqual(GOOD, DeviceInfo(HEALTHY, (), (), {}, {}, AUTO, None, None, ""))
        self.assertEqual(DeviceSpec("/a", "/b"), DeviceSpec("/a", "/b", "rw"))
        self.assertEqual(DeviceSpec("/a"), DeviceSpec("/a", "/a"))
        self.assertEqual(DeviceSpec("/a", permissions="r"), DeviceSpec("/a", "/a", "r"))
        self.assertEqual(Mount("/a", "/b"), Mount("/a", "/b", False))


def with_mount(host: Any = "/x", container: Any = "/x", read_only: Any = False) -> Any:
    """A healthy device with one mount."""
    return DeviceInfo(HEALTHY, mounts=[Mount(host, container, read_only)])


class CheckTests(SynchronousTestCase):
    """Values that no container could get are refused when they are made."""

    def test_good(self) -> None:
        """Devices with every kind of part pass."""
        for info in (
            GOOD,
            DeviceInfo(UNHEALTHY, reason="too hot"),
            *(with_node(permissions=letters) for letters in ("r", "w", "m", "rw", "mrw")),
            with_node("/dev/..x", "/dev/x.."),
            with_node("/dev/ä b"),
            with_node("/dev/字.ü/\u200d"),
            with_node("/dev/snd", "/dev/.dev"),
            with_mount("/proc/cpuinfo", "/proc/cpuinfo", True),
            with_mount("/dev", "/host/dev/", True),
            with_mount("/.../dev", "/.../dev"),
            DeviceInfo(HEALTHY, envs={"A": "", "B": "a=b\n"}),
            DeviceInfo(HEALTHY, annotations={"Ab.example.com/x_Y.z": "ü\n", "a": ""}),
            DeviceInfo(HEALTHY, nodes=(), mounts=[], envs={}, annotations={}),
        ):
            self.assertEqual(attrs.evolve(info), info)

    def test_bad(self) -> None:
        """Each wrong part is refused with one line that names the field."""
        info: Any = DeviceInfo
        for bad, words in (
            (lambda: info("healthy"), ["state 'healthy'", "HEALTHY", "UNHEALTHY"]),
            (lambda: info(None), ["state None"]),
            (lambda: info(True), ["state True"]),
            (lambda: info([]), ["state []"]),
            (lambda: info(HEALTHY, reason=None), ["reason", "a str, not None"]),
            (lambda: info(HEALTHY, nodes=["/dev/x"]), ["nodes", "type str", "DeviceSpec"]),
            (lambda: info(HEALTHY, nodes=[Mount("/x", "/x")]), ["nodes", "Mount", "DeviceSpec"]),
            (
                lambda: info(HEALTHY, nodes=DeviceSpec("/x", "/x")),
                ["nodes", "DeviceSpec", "not a list"],
            ),
            (lambda: info(HEALTHY, nodes="/dev/x"), ["nodes", "type str", "not a list"]),
            (lambda: info(HEALTHY, nodes=None), ["nodes", "None", "not a list"]),
            (lambda: info(HEALTHY, nodes={}), ["nodes", "type dict", "not a list"]),
            (lambda: info(HEALTHY, nodes=5), ["nodes", "type int", "not a list"]),
            (lambda: with_node(host="dev/x"), ["host_path 'dev/x'", "absolute"]),
            (lambda: with_node(host=""), ["host_path ''", "absolute"]),
            (lambda: with_node(host=None), ["host_path None", "absolute"]),
            (lambda: with_node(host=b"/dev/x"), ["host_path b'/dev/x'", "absolute"]),
            (lambda: with_node(container="x"), ["container_path 'x'", "absolute"]),
            (lambda: with_node(host="/dev/../x"), ["host_path '/dev/../x'", "'..'"]),
            (lambda: with_node(container="/dev/.."), ["container_path '/dev/..'", "'..'"]),
            (lambda: with_node(host="/dev/\0x"), [r"host_path '/dev/\x00x'", "U+0000"]),
            (lambda: with_node(host=SURROGATE), [r"host_path '/dev/\udcff'", "UTF-8"]),
            (lambda: with_node(container=SURROGATE), [r"container_path '/dev/\udcff'", "UTF-8"]),
            (lambda: with_node(container="/dev/a\x9b1m"), ["container_path", "U+009B"]),
            (lambda: with_node("/"), ["host_path '/'", "everything"]),
            (lambda: with_node("/dev"), ["host_path '/dev'", "/sys themselves"]),
            (lambda: with_node(container="//./sys/."), ["container_path '//./sys/.'", "/sys"]),
            (lambda: info(HEALTHY, group="a\nb"), ["group", "U+000A"]),
            (lambda: info(HEALTHY, group=5), ["group", "a str"]),
            (lambda: with_node(permissions=""), ["permissions ''", "'rwm'"]),
            (lambda: with_node(permissions="rx"), ["permissions 'rx'", "'rwm'"]),
            (lambda: with_node(permissions="RW"), ["permissions 'RW'", "'rwm'"]),
            (lambda: with_node(permissions=None), ["permissions None", "'rwm'"]),
            (lambda: with_node(permissions=["r"]), ["permissions ['r']", "'rwm'"]),
            (lambda: info(HEALTHY, mounts=["/x"]), ["mounts", "type str", "Mount"]),
            (lambda: info(HEALTHY, mounts=[DeviceSpec("/x", "/x")]), ["mounts", "twistdp.Mount"]),
            (lambda: info(HEALTHY, mounts=Mount("/x", "/x")), ["mounts", "not a list"]),
            (lambda: info(HEALTHY, mounts=None), ["mounts", "None", "not a list"]),
            (lambda: with_mount(host="x"), ["host_path 'x'", "absolute"]),
            (lambda: with_mount(container="/a/../b"), ["container_path '/a/../b'", "'..'"]),
            (lambda: with_mount(host=SURROGATE), ["host_path", "UTF-8"]),
            (lambda: with_mount(host="/./"), ["host_path '/./'", "everything"]),
            (lambda: with_mount(container="/"), ["container_path '/'", "everything"]),
            (lambda: with_mount(container="/proc/"), ["container_path '/proc/'", "/proc"]),
            (lambda: with_mount(host="/a\u2028b"), [r"host_path '/a\u2028b'", "U+2028"]),
            (lambda: with_mount(read_only=None), ["read_only None", "True or False"]),
            (lambda: with_mount(read_only="no"), ["read_only 'no'", "True or False"]),
            (lambda: with_mount(read_only=1), ["read_only 1", "True or False"]),
            (lambda: info(HEALTHY, envs=None), ["envs", "None", "not a dict"]),
            (lambda: info(HEALTHY, envs=["A=1"]), ["envs", "type list", "not a dict"]),
            (lambda: info(HEALTHY, envs={"": "1"}), ["envs", "key ''", "non-empty"]),
            (lambda: info(HEALTHY, envs={"A=B": "1"}), ["envs", "key 'A='"]),
            (lambda: info(HEALTHY, envs={"A\0": "1"}), ["envs", r"key 'A\x00'", "U+0000"]),
            (lambda: info(HEALTHY, envs={"A\u202e": "1"}), ["envs", "U+202E"]),
            (lambda: info(HEALTHY, envs={5: "1"}), ["envs", "key", "not a value of type int"]),
            (lambda: info(HEALTHY, envs={"A": 1}), ["envs", "value of 'A'", "str"]),
            (lambda: info(HEALTHY, envs={"A": None}), ["envs", "value of 'A'"]),
            (lambda: info(HEALTHY, envs={"A": "\0"}), ["envs", "value of 'A'", "NUL"]),
            (lambda: info(HEALTHY, envs={"A": SURROGATE}), ["envs", "'A'", "UTF-8"]),
            (lambda: info(HEALTHY, envs={"A\udcff": "x"}), ["envs", r"'A\udcff'", "UTF-8"]),
            (lambda: info(HEALTHY, annotations="x"), ["annotations", "type str", "not a dict"]),
            (lambda: info(HEALTHY, annotations={"": "1"}), ["annotations", "key ''"]),
            (lambda: info(HEALTHY, annotations={"a\0": "1"}), ["annotations", r"key 'a\x00'"]),
            (lambda: info(HEALTHY, annotations={"a/b=c": "1"}), ["key 'a/b='", "example.com/name"]),
            (lambda: info(HEALTHY, annotations={"/b": "1"}), ["key '/b'", "example.com/name"]),
            (lambda: info(HEALTHY, annotations={"a/b/c": "1"}), ["key 'a/b/c'"]),
            (lambda: info(HEALTHY, annotations={"x" * 64: "1"}), ["key", "63 letters"]),
            (lambda: info(HEALTHY, annotations={"x" * 254 + "/a": "1"}), ["key", "63 letters"]),
            (lambda: info(HEALTHY, annotations={"cdi.k8s.io/x": "a"}), ["CDIDevice"]),
            (lambda: info(HEALTHY, annotations={"CDI.k8s.io/x": "a"}), ["CDIDevice"]),
            (lambda: info(HEALTHY, annotations={"a": 1}), ["annotations", "value of 'a'"]),
            (lambda: info(HEALTHY, annotations={"a": SURROGATE}), ["annotations", "'a'", "UTF-8"]),
        ):
            text = str(self.assertRaises(BadDevice, bad))
            for word in words:
                self.assertIn(word, text)
            self.assertNotIn("\n", text)
            text.encode()

    def test_reason(self) -> None:
        """A reason, which is often an error's text, is made one legible line of some length."""
        for given, kept in (
            ("too hot, \u6c34", "too hot, \u6c34"),
            ("a\n b\x1b[2J\u202ec\udcff", r"a b\x1b[2J\u202ec\xff"),
        ):
            info = DeviceInfo(UNHEALTHY, reason=given)
            self.assertEqual(info.reason, kept)
            self.assertEqual(attrs.evolve(info), info)
        long = DeviceInfo(UNHEALTHY, reason="\u6c34" * 100_000).reason
        self.assertLessEqual(len(long.encode()), 2000)
        self.assertIn("(100000 characters)", long)

    def test_at_that_very_line(self) -> None:
        """The error comes from where the author wrote the value, and costs no other one."""
        with self.assertRaises(BadDevice) as raised:
            DeviceSpec("tty0")
        self.assertEqual(raised.exception.args, ("host_path 'tty0': it must be an absolute path",))
        self.assertIsInstance(raised.exception, ValueError)

    def test_long_values_are_cut(self) -> None:
        """A huge object in the place of a text does not fill the log."""
        error = self.assertRaises(BadDevice, DeviceInfo, "x" * 100_000)
        self.assertLess(len(str(error)), 500)

    def test_self_contradiction(self) -> None:
        """A device that gives one container path two meanings is refused, being of no use."""
        for nodes, mounts in (
            ([DeviceSpec("/dev/a", "/dev/x"), DeviceSpec("/dev/b", "/dev/x")], []),
            ([DeviceSpec("/dev/a", "/dev/x")], [Mount("/a", "/dev/x")]),
        ):
            self.assertRaises(BadDevice, DeviceInfo, HEALTHY, nodes, mounts)
        same = [DeviceSpec("/dev/a"), DeviceSpec("/dev/a")]
        self.assertEqual(len(DeviceInfo(HEALTHY, same).nodes), 2)


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

    def test_repeated(self) -> None:
        """A device that is added twice, differently, is repeated; the last one counts."""
        tree = tree_of(("a", "1", GOOD), ("a", "1", DeviceInfo(HEALTHY)), ("b", "1", with_node()))
        self.assertEqual(tree.repeated, set())
        tree.add_device("b", "1", GOOD)
        tree.add_devices("a", {"1": with_node(), "2": GOOD})
        tree.add_devices("a", {"2": GOOD})
        self.assertEqual(tree.repeated, {("a", "1"), ("b", "1")})
        self.assertEqual(tree.copy().repeated, tree.repeated)
        self.assertEqual((tree["a"]["1"], tree["b"]["1"]), (with_node(), GOOD))

    def test_settled(self) -> None:
        """In a tree that was given, a second one is how a device changes."""
        tree = tree_of(("a", "1", GOOD), ("a", "1", with_node()))
        self.assertEqual(tree.settle(), {("a", "1")})
        tree.add_device("a", "1", GOOD)
        tree.add_devices("a", {"1": with_node()})
        self.assertEqual(tree.settle(), set())

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
