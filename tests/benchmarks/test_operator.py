"""The benchmark of the operator, in a small cluster."""

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from benchmarks import operator


class OperatorTests(TestCase):
    """The process of the operator, and the fake API server."""

    timeout = 300

    async def test_small(self) -> None:
        """Each phase makes the requests that the page has for each object, and no more."""
        self.patch(operator, "QUIET", 1.5)
        lines: list[str] = []
        small = operator.Benchmark(reactor, 5, 10, rest=1.0, interval=0.2, write=lines.append)
        costs = {cost.name: cost for cost in await small.run()}
        self.assertEqual(len(lines), len(costs))
        self.assertIn("5 apply daemonsets", costs["start in a new cluster"].verbs)
        self.assertNotIn("deviceplugins", costs["start in a running cluster"].verbs)
        for name, requests in {
            "one image is edited": 2,
            "one configuration is edited": 2,
            "a device of one node fails": 5,
            "every node reports that it lives": 0,
            "a minute without changes": 0,
        }.items():
            self.assertEqual(costs[name].requests, requests, costs[name])
        for cost in costs.values():
            self.assertGreater(cost.rss, 10)
