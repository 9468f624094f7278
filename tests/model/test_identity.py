"""Tests for `twistdp.model.identity`."""

from typing import Any, NoReturn

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.model.identity import keep_unchanged

mappings = st.dictionaries(
    st.sampled_from("abcdef"), st.one_of(st.none(), st.lists(st.integers(0, 1), max_size=1))
)


class Touchy:
    """A value that must not be compared."""

    def __eq__(self, other: object) -> NoReturn:
        raise ValueError("compared")

    __hash__ = None  # type: ignore[assignment]


class KeepUnchangedTests(SynchronousTestCase):
    """`keep_unchanged`"""

    @given(mappings, mappings)
    def test_any(self, found: dict[str, Any], before: dict[str, Any]) -> None:
        """Equal values become the same objects; the other keys are returned, in order."""
        kept, others = keep_unchanged(found, before)
        self.assertEqual(kept, found)
        self.assertEqual(
            others, [key for key in found if key not in before or found[key] != before[key]]
        )
        for key in found:
            self.assertIs(kept[key], found[key] if key in others else before[key])

    def test_keys(self) -> None:
        """Keys become the same objects too, also those of values that have changed."""
        before = {f"a{'b' * 60}": 1, f"c{'d' * 60}": 1}
        found = {key[:1] + key[1:]: value + (key[0] == "c") for key, value in before.items()}
        kept, _ = keep_unchanged(found, before)
        self.assertEqual({id(key) for key in kept}, {id(key) for key in before})
        self.assertEqual(kept, found)

    def test_same_object(self) -> None:
        """The same object is not compared."""
        value = Touchy()
        self.assertEqual(keep_unchanged({"a": value}, {"a": value})[1], [])

    def test_cannot_be_compared(self) -> None:
        """A value that cannot be compared counts as changed."""
        found = {"a": Touchy(), "b": 1}
        before: dict[str, Any] = {"a": Touchy(), "b": 1}
        self.assertEqual(keep_unchanged(found, before)[1], ["a"])
