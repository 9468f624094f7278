"""The emulated topology manager, held to what a kubelet admits."""

from twisted.trial.unittest import SynchronousTestCase

from twistdp.errors import BadSetting
from twistdp.testing.topologymanager import NotAligned, Policy, TopologyManager

PLACED = {"a": [0], "b": [0], "c": [1], "both": [0, 1]}
"""The NUMA nodes of devices; ``x`` has none, ``far`` is on one that does not exist."""


def admits(policy: Policy, available: str, count: int, numa: dict[str, list[int]]) -> object:
    """The nodes for so many of the devices `available`, or "refused"."""
    try:
        near = TopologyManager(policy).affinity(numa, available.split(), count)
    except NotAligned:
        return "refused"
    return near and set(near)


class TopologyManagerTests(SynchronousTestCase):
    """Policies and requests."""

    def rows(self, numa: dict[str, list[int]], *rows: tuple[str, int, object, object]) -> None:
        """Devices and a count, with the results for restricted and single-numa-node."""
        for available, count, restricted, single in rows:
            self.assertEqual(admits("restricted", available, count, numa), restricted, available)
            self.assertEqual(admits("single-numa-node", available, count, numa), single, available)
            self.assertNotEqual(admits("best-effort", available, count, numa), "refused")
            self.assertIsNone(admits("none", available, count, numa))

    def test_aligned(self) -> None:
        """The narrowest set of nodes that has enough; a wider one only if no narrower could."""
        self.rows(
            PLACED,
            ("a b c both", 1, {0}, {0}),
            ("c", 1, {1}, {1}),
            ("a b c both", 3, {0}, {0}),
            ("a c", 2, "refused", "refused"),  # three are on node 0, but in use
            ("a b c both", 4, {0, 1}, "refused"),
        )

    def test_without_nodes(self) -> None:
        """If no device has NUMA nodes, all is admitted; a mixture cannot be aligned."""
        self.rows({}, ("x y", 2, None, None))
        self.rows(
            {"a": [0]},
            ("a x", 1, {0}, {0}),
            ("x", 1, "refused", "refused"),
            ("a x", 2, "refused", "refused"),
        )

    def test_absent_nodes(self) -> None:
        """A node that the machine lacks, or -1, is no node, but differs from having none."""
        for node in (7, -1):
            self.rows({"far": [node]}, ("far", 1, "refused", "refused"))
            self.rows(
                {"far": [node], "a": [0]},
                ("far a", 1, {0}, {0}),
                ("far a", 2, "refused", "refused"),
            )

    def test_bad_settings(self) -> None:
        """Unknown policies, and NUMA nodes with which a kubelet does not start, are refused."""
        with self.assertRaises(BadSetting) as caught:
            TopologyManager("single")  # type: ignore[arg-type]
        self.assertIn("none, best-effort, restricted, single-numa-node", str(caught.exception))
        for nodes in (range(9), ()):
            with self.assertRaises(BadSetting):
                TopologyManager("restricted", nodes)
            TopologyManager("none", nodes)
