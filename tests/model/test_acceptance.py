"""Tests for `twistdp.model.acceptance`."""

import os
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.model.test_devices import tree_of, with_node
from twistdp.errors import BadTree
from twistdp.model.acceptance import NOTHING, Accepted, Difference, accept, difference
from twistdp.model.devices import HEALTHY, UNHEALTHY, DeviceInfo, DeviceTree

GOOD = DeviceInfo(HEALTHY)
SURROGATE = os.fsdecode(b"/dev/\xff")


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
        """What is no device is left out alone, with a reason that says what it is."""
        for bad in (5, "x" * 100_000, {"state": HEALTHY}):
            accepted = accept(tree_of(("a", "bad", bad), ("a", "1", GOOD)))
            self.assertEqual(accepted.resources, {"a": {"1": GOOD}})
            (refusal,) = accepted.refusals
            self.assertEqual((refusal.resource_type, refusal.device_id), ("a", "bad"))
            self.assertIn("must be a twistdp.DeviceInfo, not a value of type", refusal.reason)
            self.assertLess(len(refusal.reason), 500)

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
        """What equals that which was accepted under its id is that one; others are not."""
        one, other = with_node(), with_node()
        first = accept(tree_of(("a", "1", one)))
        self.assertEqual(accept(tree_of(("a", "1", one)), first), first)
        equal = accept(tree_of(("a", "1", other), ("a", "2", other)), first)
        self.assertIs(equal.resources["a"]["1"], one)
        self.assertIs(equal.resources["a"]["2"], other)

    def test_bad_again(self) -> None:
        """A device that was refused is refused again while nothing has changed."""
        tree = tree_of(("a", "1", 5), ("a", "2", GOOD))
        first = accept(tree)
        self.assertEqual(len(first.refusals), 1)
        self.assertEqual(accept(tree, first), first)

    def test_not_a_tree(self) -> None:
        """Something else than a tree raises, with a short text that says what it is."""
        values: tuple[object, ...] = (None, {}, {"a": {"1": GOOD}}, [], 5, "x" * 100_000)
        for bad in values:
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
