"""Tests for `twistdp.accepting`."""

import os
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.test_devices import tree_of, with_node
from twistdp import accepting
from twistdp.accepting import (
    NOTHING,
    Accepted,
    Difference,
    Refusal,
    accept,
    check_device,
    difference,
)
from twistdp.devices import HEALTHY, UNHEALTHY, DeviceInfo, DeviceSpec, DeviceTree, Mount
from twistdp.errors import BadDevice, BadTree

GOOD = DeviceInfo(HEALTHY)
SURROGATE = os.fsdecode(b"/dev/\xff")


def with_mount(host: Any = "/x", container: Any = "/x", read_only: Any = False) -> Any:
    """A healthy device with one mount."""
    return DeviceInfo(HEALTHY, mounts=[Mount(host, container, read_only)])


class CheckDeviceTests(SynchronousTestCase):
    """`check_device` refuses what no container could get."""

    def test_good(self) -> None:
        """Devices with every kind of part pass."""
        for info in (
            GOOD,
            DeviceInfo(UNHEALTHY, reason="too hot"),
            *(with_node(permissions=letters) for letters in ("r", "w", "m", "rw", "mrw")),
            with_node("/dev/..x", "/dev/x.."),
            with_node("/dev/ä b"),
            with_mount("/", "/host", True),
            DeviceInfo(HEALTHY, envs={"A": "", "B": "a=b\n"}, annotations={"a/b=c": "ü"}),
            DeviceInfo(HEALTHY, nodes=(), mounts=[], envs={}, annotations={}),
        ):
            check_device(info)

    def test_bad(self) -> None:
        """Each wrong part is refused with one line that names the field."""
        info: Any = DeviceInfo
        for bad, words in (
            (None, ["DeviceInfo", "None"]),
            ({"state": HEALTHY}, ["DeviceInfo", "type dict"]),
            (info("healthy"), ["state 'healthy'", "HEALTHY", "UNHEALTHY"]),
            (info(None), ["state None"]),
            (info(True), ["state True"]),
            (info([]), ["state []"]),
            (info(HEALTHY, reason=None), ["reason", "a str, not None"]),
            (info(HEALTHY, nodes=["/dev/x"]), ["nodes", "type str", "DeviceSpec"]),
            (info(HEALTHY, nodes=[Mount("/x", "/x")]), ["nodes", "Mount", "DeviceSpec"]),
            (info(HEALTHY, nodes=DeviceSpec("/x", "/x")), ["nodes", "DeviceSpec", "not a list"]),
            (info(HEALTHY, nodes="/dev/x"), ["nodes", "type str", "not a list"]),
            (info(HEALTHY, nodes=None), ["nodes", "None", "not a list"]),
            (info(HEALTHY, nodes={}), ["nodes", "type dict", "not a list"]),
            (info(HEALTHY, nodes=5), ["nodes", "type int", "not a list"]),
            (with_node(host="dev/x"), ["host_path 'dev/x'", "absolute"]),
            (with_node(host=""), ["host_path ''", "absolute"]),
            (with_node(host=None), ["host_path None", "absolute"]),
            (with_node(host=b"/dev/x"), ["host_path b'/dev/x'", "absolute"]),
            (with_node(container="x"), ["container_path 'x'", "absolute"]),
            (with_node(host="/dev/../x"), ["host_path '/dev/../x'", "'..'"]),
            (with_node(container="/dev/.."), ["container_path '/dev/..'", "'..'"]),
            (with_node(host="/dev/\0x"), [r"host_path '/dev/\x00x'", "NUL"]),
            (with_node(host=SURROGATE), [r"host_path '/dev/\udcff'", "UTF-8"]),
            (with_node(container=SURROGATE), [r"container_path '/dev/\udcff'", "UTF-8"]),
            (with_node(permissions=""), ["permissions ''", "'rwm'"]),
            (with_node(permissions="rx"), ["permissions 'rx'", "'rwm'"]),
            (with_node(permissions="RW"), ["permissions 'RW'", "'rwm'"]),
            (with_node(permissions=None), ["permissions None", "'rwm'"]),
            (with_node(permissions=["r"]), ["permissions ['r']", "'rwm'"]),
            (info(HEALTHY, mounts=["/x"]), ["mounts", "type str", "Mount"]),
            (info(HEALTHY, mounts=[DeviceSpec("/x", "/x")]), ["mounts", "twistdp.Mount"]),
            (info(HEALTHY, mounts=Mount("/x", "/x")), ["mounts", "not a list"]),
            (info(HEALTHY, mounts=None), ["mounts", "None", "not a list"]),
            (with_mount(host="x"), ["host_path 'x'", "absolute"]),
            (with_mount(container="/a/../b"), ["container_path '/a/../b'", "'..'"]),
            (with_mount(host=SURROGATE), ["host_path", "UTF-8"]),
            (with_mount(read_only=None), ["read_only None", "True or False"]),
            (with_mount(read_only="no"), ["read_only 'no'", "True or False"]),
            (with_mount(read_only=1), ["read_only 1", "True or False"]),
            (info(HEALTHY, envs=None), ["envs", "None", "not a dict"]),
            (info(HEALTHY, envs=["A=1"]), ["envs", "type list", "not a dict"]),
            (info(HEALTHY, envs={"": "1"}), ["envs", "key ''", "non-empty"]),
            (info(HEALTHY, envs={"A=B": "1"}), ["envs", "key 'A='"]),
            (info(HEALTHY, envs={"A\0": "1"}), ["envs", r"key 'A\x00'"]),
            (info(HEALTHY, envs={5: "1"}), ["envs", "key", "not a value of type int"]),
            (info(HEALTHY, envs={"A": 1}), ["envs", "value of 'A'", "str"]),
            (info(HEALTHY, envs={"A": None}), ["envs", "value of 'A'"]),
            (info(HEALTHY, envs={"A": "\0"}), ["envs", "value of 'A'", "NUL"]),
            (info(HEALTHY, envs={"A": SURROGATE}), ["envs", "'A'", "UTF-8"]),
            (info(HEALTHY, envs={"A\udcff": "x"}), ["envs", r"'A\udcff'", "UTF-8"]),
            (info(HEALTHY, annotations="x"), ["annotations", "type str", "not a dict"]),
            (info(HEALTHY, annotations={"": "1"}), ["annotations", "key ''"]),
            (info(HEALTHY, annotations={"a\0": "1"}), ["annotations", r"key 'a\x00'"]),
            (info(HEALTHY, annotations={"a": 1}), ["annotations", "value of 'a'"]),
            (info(HEALTHY, annotations={"a": SURROGATE}), ["annotations", "'a'", "UTF-8"]),
        ):
            text = str(self.assertRaises(BadDevice, check_device, bad))
            for word in words:
                self.assertIn(word, text)
            self.assertNotIn("\n", text)
            text.encode()

    def test_long_values_are_cut(self) -> None:
        """A huge object in the place of a device does not fill the log."""
        error = self.assertRaises(BadDevice, check_device, "x" * 100_000)
        self.assertLess(len(str(error)), 500)

    def test_self_contradiction(self) -> None:
        """A device that gives one container path two meanings is refused, being of no use."""
        bad = DeviceInfo(
            HEALTHY, nodes=[DeviceSpec("/dev/a", "/dev/x"), DeviceSpec("/dev/b", "/dev/x")]
        )
        self.assertRaises(BadDevice, check_device, bad)


class AcceptTests(SynchronousTestCase):
    """`accept` takes over the usable part of a tree."""

    def test_good(self) -> None:
        """A tree without faults is taken over whole."""
        self.assertEqual(
            accept(tree_of(("a", "1", GOOD), ("a", "2", GOOD), ("b", "1", GOOD))),
            Accepted({"a": {"1": GOOD, "2": GOOD}, "b": {"1": GOOD}}),
        )
        self.assertEqual(accept(DeviceTree()), NOTHING)

    def test_copies(self) -> None:
        """What a scanner adds to its tree later is not seen."""
        tree = tree_of(("a", "1", GOOD))
        accepted = accept(tree)
        tree.add_device("a", "2", GOOD)
        tree.add_device("b", "1", GOOD)
        self.assertEqual(accepted.resources, {"a": {"1": GOOD}})

    def test_bad_types(self) -> None:
        """A bad type is left out with all its devices, and nothing else is."""
        for bad in ("", "a/b", "-a", "a b", "x" * 64, "ä", None, 5, ("a",)):
            accepted = accept(tree_of((bad, "1", GOOD), (bad, "2", GOOD), ("good", "1", GOOD)))
            self.assertEqual(accepted.resources, {"good": {"1": GOOD}})
            (refusal,) = accepted.refusals
            self.assertEqual((refusal.resource_type, refusal.device_id), (bad, None))
            self.assertIn(repr(bad), refusal.reason)

    def test_bad_ids(self) -> None:
        """A bad id is left out alone, and the refusal names it."""
        for bad in ("", "x" * 64, "a\n", "a b", "ü", "\udcff", None, 5, b"a", ("a",)):
            accepted = accept(tree_of(("a", bad, GOOD), ("a", "1", GOOD), ("b", "1", GOOD)))
            self.assertEqual(accepted.resources, {"a": {"1": GOOD}, "b": {"1": GOOD}})
            (refusal,) = accepted.refusals
            self.assertEqual((refusal.resource_type, refusal.device_id), ("a", bad))
            self.assertIn(repr(bad), refusal.reason)

    def test_bad_devices(self) -> None:
        """A bad device is left out alone, with the reason that `check_device` states."""
        info: Any = DeviceInfo
        for bad in (5, info("ok"), with_node(host="x"), info(HEALTHY, envs={"=": "1"})):
            accepted = accept(tree_of(("a", "bad", bad), ("a", "1", GOOD)))
            self.assertEqual(accepted.resources, {"a": {"1": GOOD}})
            reason = str(self.assertRaises(BadDevice, check_device, bad))
            self.assertEqual(accepted.refusals, (Refusal("a", "bad", reason),))

    def test_none_for_a_device(self) -> None:
        """None in the place of a device is refused like any other thing that is none."""
        accepted = accept(tree_of(("a", "bad", None), ("a", "1", GOOD)))
        self.assertEqual(accepted.resources, {"a": {"1": GOOD}})
        self.assertEqual(len(accepted.refusals), 1)

    def test_every_fault_is_told(self) -> None:
        """Each fault of a tree is a refusal of its own."""
        accepted = accept(
            tree_of(("-", "1", GOOD), ("a", "", GOOD), ("a", "2", 5), ("a", "3", GOOD))
        )
        self.assertEqual(
            [(refusal.resource_type, refusal.device_id) for refusal in accepted.refusals],
            [("-", None), ("a", ""), ("a", "2")],
        )
        self.assertEqual(accepted.resources, {"a": {"3": GOOD}})

    def test_type_without_usable_devices(self) -> None:
        """A type all of whose devices are bad is not there."""
        self.assertEqual(accept(tree_of(("a", "1", 5), ("a", "2", 6))).resources, {})

    def test_same_object_again(self) -> None:
        """What was accepted under its id, or equals that, is not examined again; others are."""
        examined: list[object] = []

        def recorded(info: object) -> None:
            examined.append(info)
            check_device(info)

        self.patch(accepting, "check_device", recorded)
        one, other = with_node(), with_node()
        first = accept(tree_of(("a", "1", one)))
        again = accept(tree_of(("a", "1", one)), first)
        self.assertEqual([id(info) for info in examined], [id(one)])
        self.assertEqual(again, first)
        equal = accept(tree_of(("a", "1", other), ("a", "2", one), ("b", "1", one)), first)
        self.assertEqual(len(examined), 3)
        self.assertIs(equal.resources["a"]["1"], one)

    def test_bad_again(self) -> None:
        """A device that was refused is refused again while nothing has changed."""
        tree = tree_of(("a", "1", 5), ("a", "2", GOOD))
        first = accept(tree)
        self.assertEqual(len(first.refusals), 1)
        self.assertEqual(accept(tree, first), first)

    def test_not_a_tree(self) -> None:
        """Something else than a tree raises, with a short text that says what it is."""
        for bad in (None, {}, {"a": {"1": GOOD}}, [], 5, "x" * 100_000):
            error = self.assertRaises(BadTree, accept, bad)
            self.assertIn("twistdp.DeviceTree", str(error))
            self.assertIn("None" if bad is None else type(bad).__name__, str(error))
            self.assertLess(len(str(error)), 500)


class DifferenceTests(SynchronousTestCase):
    """`difference` tells how one state leads to the next."""

    def test_table(self) -> None:
        """Types appear, change or vanish."""
        bad = DeviceInfo(UNHEALTHY)
        one, two, sick = {"1": GOOD}, {"1": GOOD, "2": GOOD}, {"1": bad}
        for old, new, added, changed, removed in (
            ({}, {}, "", "", ""),
            ({}, {"a": one}, "a", "", ""),
            ({"a": one}, {}, "", "", "a"),
            ({"a": one}, {"a": dict(one)}, "", "", ""),
            ({"a": one}, {"a": {"1": DeviceInfo(HEALTHY)}}, "", "", ""),
            ({"a": one}, {"a": two}, "", "a", ""),
            ({"a": two}, {"a": one}, "", "a", ""),
            ({"a": one}, {"a": sick}, "", "a", ""),
            ({"a": one, "b": one}, {"b": sick, "c": one}, "c", "b", "a"),
        ):
            self.assertEqual(
                difference(old, new),
                Difference(frozenset(added), frozenset(changed), frozenset(removed)),
            )

    resources = st.dictionaries(
        st.sampled_from("abc"),
        st.dictionaries(
            st.sampled_from("123"),
            st.sampled_from([GOOD, DeviceInfo(UNHEALTHY), with_node()]),
            min_size=1,
        ),
    )

    @given(resources, resources)
    @settings(deadline=None)
    def test_applied_to_old_gives_new(
        self,
        old: Mapping[str, Mapping[str, DeviceInfo]],
        new: Mapping[str, Mapping[str, DeviceInfo]],
    ) -> None:
        """Doing to the old state what the difference says gives the new one, with no idle step."""
        step = difference(old, new)
        result = {key: value for key, value in old.items() if key not in step.removed}
        result.update({key: new[key] for key in step.added | step.changed})
        self.assertEqual(result, new)
        self.assertFalse(step.added & old.keys())
        self.assertTrue(step.removed <= old.keys())
        self.assertTrue(all(old[key] != new[key] for key in step.changed))
