"""Tests for `twistdp.model.acceptance`."""

import os
from collections.abc import Collection, Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.model.test_devices import tree_of, with_node
from tests.support.updates import resources
from twistdp.errors import BadTree
from twistdp.model.acceptance import NO_DEVICES, NOTHING, Update, accept
from twistdp.model.devices import HEALTHY, UNHEALTHY, DeviceInfo, Devices, DeviceTree

GOOD = DeviceInfo(HEALTHY)
SURROGATE = os.fsdecode(b"/dev/\xff")


class AcceptTests(SynchronousTestCase):
    """`accept` takes over the usable part of a tree."""

    def test_good(self) -> None:
        """A tree without faults is taken over whole."""
        self.assertEqual(
            resources(accept(tree_of(("a", "1", GOOD), ("a", "2", GOOD), ("b", "1", GOOD)))),
            {"a": {"1": GOOD, "2": GOOD}, "b": {"1": GOOD}},
        )
        self.assertEqual(accept(DeviceTree()), NOTHING)

    def test_copies(self) -> None:
        """A device that a scanner adds to its tree later does not appear."""
        tree = tree_of(("a", "1", GOOD))
        accepted = accept(tree)
        tree.add_device("a", "2", GOOD)
        tree.add_device("b", "1", GOOD)
        self.assertEqual(resources(accepted), {"a": {"1": GOOD}})

    def test_bad_types(self) -> None:
        """A bad type is left out with all its devices, and nothing else is."""
        for bad in ("", "a/b", "-a", "a b", "x" * 64, "ä", None, 5, ("a",)):
            accepted = accept(tree_of((bad, "1", GOOD), (bad, "2", GOOD), ("good", "1", GOOD)))
            self.assertEqual(resources(accepted), {"good": {"1": GOOD}})
            (refusal,) = accepted.refusals
            self.assertEqual((refusal.resource_type, refusal.device_id), (bad, None))
            self.assertIn(repr(bad), refusal.reason)

    def test_bad_ids(self) -> None:
        """A bad id is left out alone, and the refusal names it."""
        for bad in ("", "x" * 64, "a\n", "a b", "ü", "\udcff", None, 5, b"a", ("a",)):
            accepted = accept(tree_of(("a", bad, GOOD), ("a", "1", GOOD), ("b", "1", GOOD)))
            self.assertEqual(resources(accepted), {"a": {"1": GOOD}, "b": {"1": GOOD}})
            (refusal,) = accepted.refusals
            self.assertEqual((refusal.resource_type, refusal.device_id), ("a", bad))
            self.assertIn(repr(bad), refusal.reason)

    def test_bad_devices(self) -> None:
        """A value that is no device is left out alone, with a reason that names its type."""
        for bad in (5, "x" * 100_000, {"state": HEALTHY}):
            accepted = accept(tree_of(("a", "bad", bad), ("a", "1", GOOD)))
            self.assertEqual(resources(accepted), {"a": {"1": GOOD}})
            (refusal,) = accepted.refusals
            self.assertEqual((refusal.resource_type, refusal.device_id), ("a", "bad"))
            self.assertIn("must be a twistdp.DeviceInfo, not a value of type", refusal.reason)
            self.assertLess(len(refusal.reason), 500)

    def test_none_for_a_device(self) -> None:
        """None in the place of a device is refused like any other value."""
        accepted = accept(tree_of(("a", "bad", None), ("a", "1", GOOD)))
        self.assertEqual(resources(accepted), {"a": {"1": GOOD}})
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
        self.assertEqual(resources(accepted), {"a": {"3": GOOD}})

    def test_type_without_usable_devices(self) -> None:
        """A type all of whose devices are bad is not there."""
        self.assertEqual(accept(tree_of(("a", "1", 5), ("a", "2", 6))).resources, {})

    def test_same_object_again(self) -> None:
        """A device that equals the accepted one with its id becomes that object; others do not."""
        one, other = with_node(), with_node()
        first = accept(tree_of(("a", "1", one)))
        self.assertFalse(accept(tree_of(("a", "1", one)), first).resources["a"])
        equal = accept(tree_of(("a", "1", other), ("a", "2", other)), first).resources["a"]
        self.assertIs(equal.devices["1"], one)
        self.assertIs(equal.devices["2"], other)

    def test_bad_again(self) -> None:
        """A device that was refused is refused again while nothing has changed."""
        tree = tree_of(("a", "1", 5), ("a", "2", GOOD))
        first = accept(tree)
        self.assertEqual(len(first.refusals), 1)
        self.assertEqual(accept(tree, first).refusals, first.refusals)
        self.assertFalse(accept(tree, first).resources["a"])

    def test_not_a_tree(self) -> None:
        """Anything but a tree raises, with a short text that names its type."""
        values: tuple[object, ...] = (None, {}, {"a": {"1": GOOD}}, [], 5, "x" * 100_000)
        for bad in values:
            error = self.assertRaises(BadTree, accept, bad)
            self.assertIn("twistdp.DeviceTree", str(error))
            self.assertIn("None" if bad is None else type(bad).__name__, str(error))
            self.assertLess(len(str(error)), 500)


class UpdateTests(SynchronousTestCase):
    """The differences between a tree and the one before."""

    def test_table(self) -> None:
        """Devices appear, change or vanish; an equal device makes no difference."""
        sick = DeviceInfo(UNHEALTHY)
        one, two = {"1": GOOD}, {"1": GOOD, "2": GOOD}
        for old, new, changed, removed in (
            ({}, one, ["1"], []),
            (one, two, ["2"], []),
            (two, {"2": GOOD}, [], ["1"]),
            (one, {"1": sick}, ["1"], []),
            (one, {"1": DeviceInfo(HEALTHY)}, [], []),
            (one, {"1": 5}, [], ["1"]),
            (one, {}, [], ["1"]),
            (two, {"3": GOOD, "2": sick}, ["3", "2"], ["1"]),
        ):
            before = accept(trees_of(a=old))
            update = accept(trees_of(a=new), before).resources["a"]
            self.assertEqual((update.changed, update.removed), (changed, removed))
            self.assertEqual(bool(update), bool(changed or removed))

    def test_types(self) -> None:
        """A type that has lost its devices is there once more, without any, before the others."""
        before = accept(trees_of(a={"1": GOOD}, b={"1": GOOD, "2": GOOD}))
        for tree in (trees_of(c={"1": GOOD}, b={"1": 5}), trees_of(c={"1": GOOD})):
            accepted = accept(tree, before)
            self.assertEqual(resources(accepted), {"c": {"1": GOOD}})
            gone = {"a": Update({}, (), ["1"]), "b": Update({}, [], ["1", "2"])}
            self.assertEqual(set(accepted.resources), {"a", "b", "c"})
            for kind, update in gone.items():
                self.assertEqual(list(accepted.resources[kind].removed), update.removed)
                self.assertFalse(accepted.resources[kind].devices)
            self.assertEqual(list(accept(tree, accepted).resources), ["c"])

    def test_refused(self) -> None:
        """A device that `refuse` names is left out, and offered again with every tree."""
        asked: list[tuple[str, list[str], list[str]]] = []

        def refuse(kind: str, devices: Devices, changed: Collection[str]) -> Mapping[str, str]:
            asked.append((kind, list(devices), list(changed)))
            return {"2": "because"}

        tree = trees_of(a={"1": GOOD, "2": GOOD, "3": 5})
        accepted = NOTHING
        for changed in (["1", "2"], ["2"]):
            accepted = accept(tree, accepted, refuse)
            self.assertEqual(resources(accepted), {"a": {"1": GOOD}})
            self.assertEqual(
                [(refusal.device_id, refusal.reason) for refusal in accepted.refusals][1:],
                [("2", "because")],
            )
            self.assertEqual(asked.pop(), ("a", ["1", "2"], changed))

    states = st.lists(
        st.dictionaries(
            st.sampled_from("123"), st.sampled_from([GOOD, DeviceInfo(UNHEALTHY), with_node()])
        ),
        max_size=5,
    )

    @given(states)
    def test_applied(self, states: list[Devices]) -> None:
        """The updates lead a receiver from state to state, also one that has missed some."""
        accepted = NOTHING
        missed = NO_DEVICES
        follower: dict[str, DeviceInfo] = {}
        stale: dict[str, DeviceInfo] = {}
        for number, state in enumerate(states):
            accepted = accept(trees_of(a=state), accepted)
            update = accepted.resources.get("a", NO_DEVICES)
            if number == 0:
                stale = dict(state)  # of one that misses all from now on
            else:
                missed = update.after(missed)
            apply(follower, update)
            self.assertEqual(follower, state)
            self.assertEqual(apply({}, update.whole()), state)
            self.assertEqual(apply(dict(stale), missed), state)


def apply(devices: dict[str, DeviceInfo], update: Update) -> dict[str, DeviceInfo]:
    """Apply an update, and nothing else."""
    assert not set(update.changed) & set(update.removed)
    for id_ in update.removed:
        devices.pop(id_, None)
    for id_ in update.changed:
        devices[id_] = update.devices[id_]
    return devices


def trees_of(**types: Any) -> DeviceTree:
    """A tree with these devices of each type."""
    tree = DeviceTree()
    for kind, devices in types.items():
        tree.add_devices(kind, devices)
    return tree
