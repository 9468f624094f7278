"""Tests for `twistdp.resource.room`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.resource.room import MOST_BYTES, that_fit

ids = st.sampled_from("abcdef")


class ThatFitTests(SynchronousTestCase):
    """`that_fit` chooses the devices to list."""

    def test_exact(self) -> None:
        """Devices that fill the room fit, and with one byte more one does not."""
        sizes = {"a": MOST_BYTES - 1, "b": 1, "c": 1}
        self.assertEqual(that_fit(sizes, ["ab"]), {"a", "b"})
        self.assertEqual(that_fit({**sizes, "b": 2}, ["ab"]), {"a"})

    def test_ranks(self) -> None:
        """Earlier ranks come first, each in its order, and an id counts once."""
        sizes = dict.fromkeys("abcdef", 10)
        self.assertEqual(that_fit(sizes, ["fe", "ea", "abcdef"], 40), {"f", "e", "a", "b"})

    def test_unknown(self) -> None:
        """An id in a rank without a device takes no room."""
        self.assertEqual(that_fit({"a": 1}, ["xya"], 1), {"a"})

    def test_smaller_ones_behind(self) -> None:
        """One that does not fit does not keep smaller ones out."""
        self.assertEqual(that_fit({"a": 3, "b": 5, "c": 2}, ["abc"], 5), {"a", "c"})

    @given(st.dictionaries(ids, st.integers(1, 9)), st.lists(st.lists(ids)), st.integers(0, 30))
    def test_any(self, sizes: dict[str, int], ranks: list[list[str]], room: int) -> None:
        """It never takes more than there is room for, and nothing else would fit."""
        chosen = that_fit(sizes, ranks, room)
        left = room - sum(sizes[id_] for id_ in chosen)
        self.assertGreaterEqual(left, 0)
        for id_ in {id_ for rank in ranks for id_ in rank} & sizes.keys() - chosen:
            self.assertGreater(sizes[id_], left)
