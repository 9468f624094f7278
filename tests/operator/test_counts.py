"""Tests for `twistdp.operator.counts`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.operator.counts import Devices
from twistdp.operator.observed import Count, NodeCounts

resources = st.sampled_from(["a.io/x", "a.io/y", "b.io/x"])
nodes = st.sampled_from(["n1", "n2", "n3"])
changes = st.lists(
    st.tuples(
        nodes,
        st.none()
        | st.dictionaries(resources, st.builds(Count, st.integers(0, 2), st.integers(0, 2))),
    )
)


class DevicesTests(SynchronousTestCase):
    """The index."""

    def test_changes(self) -> None:
        """The resources whose counts have changed are returned, and no others."""
        devices = Devices()
        first = {"a.io/x": Count(1, 1), "a.io/y": Count(2, 2)}
        self.assertEqual(devices.update("n1", first), {"a.io/x", "a.io/y"})
        self.assertEqual(devices.update("n1", dict(first)), frozenset())
        self.assertEqual(
            devices.update("n1", {"a.io/x": Count(1, 0), "b.io/x": Count(1, 1)}),
            {"a.io/x", "a.io/y", "b.io/x"},
        )
        self.assertEqual(devices.remove("n1"), {"a.io/x", "b.io/x"})
        self.assertEqual(devices.remove("n1"), frozenset())

    def test_domain(self) -> None:
        """Those of a domain alone, with devices on a node."""
        devices = Devices()
        devices.update("n1", {"a.io/x": Count(1, 1), "b.a.io/x": Count(1, 1)})
        devices.update("n2", {"a.io/gone": Count(0, 0), "a.io/x": Count(0, 0)})
        self.assertEqual(devices.in_domain("a.io"), {"a.io/x"})

    def test_shared(self) -> None:
        """Equal counts of many nodes are one object."""
        devices = Devices()
        for number in range(9):
            devices.update(f"n{number}", {"a.io/x": Count(1, 1)})
        found = devices.of(["a.io/x"])
        self.assertEqual(len({id(counts["a.io/x"]) for counts in found.values()}), 1)

    @given(changes)
    def test_index(self, steps: list[tuple[str, NodeCounts | None]]) -> None:
        """It finds what the nodes have last had."""
        devices, last = Devices(), dict[str, NodeCounts]()
        for node, counts in steps:
            if counts is None:
                devices.remove(node)
                last.pop(node, None)
            else:
                devices.update(node, counts)
                last[node] = counts
        self.assertEqual(len(devices), len(last))
        self.assertEqual(sorted(devices.nodes()), sorted(last))
        self.assertEqual(devices.names(), {name for counts in last.values() for name in counts})
        self.assertEqual(
            devices.of(["a.io/x", "b.io/x"]),
            {
                node: found
                for node, counts in last.items()
                if (found := {n: c for n, c in counts.items() if n in ("a.io/x", "b.io/x")})
            },
        )
