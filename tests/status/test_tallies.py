"""Tests of what is counted of the events."""

from twisted.trial.unittest import SynchronousTestCase

from twistdp.status.events import Events, Kind
from twistdp.status.tallies import BOUNDS, FEW, Durations, Tallies


class TalliesTests(SynchronousTestCase):
    """Numbers of events."""

    def setUp(self) -> None:
        """Follow."""
        self.events = Events()
        self.live: list[str] = []
        self.tallies = Tallies(self.events, lambda: self.live)

    def register(self, *names: str) -> None:
        """These are registered."""
        for name in names:
            self.events.emit(Kind.REGISTERED, resource=name)

    def test_bounded(self) -> None:
        """Of thousands of resources that come and go, few numbers are kept; of others, all."""
        self.live = [f"a.example/stays-{number}" for number in range(5)]
        self.register(*self.live)
        for number in range(5000):
            self.register(f"a.example/goes-{number}")
            self.assertLessEqual(len(self.tallies.resources), FEW)
        self.register(*self.live)
        found = [self.tallies.resources[name].registrations["registered"] for name in self.live]
        self.assertEqual(found, [2] * 5)

    def test_many(self) -> None:
        """Those that are there are not looked for at each event, however many they are."""
        asked = 0

        def live() -> list[str]:
            nonlocal asked
            asked += 1
            return self.live

        tallies = Tallies(self.events, live)
        self.live = [f"a.example/x-{number}" for number in range(1000)]
        self.register(*self.live, *self.live)
        self.assertEqual(len(tallies.resources), 1000)
        self.assertLess(asked, 10)

    def test_stop(self) -> None:
        """Afterwards nothing is counted."""
        self.tallies.stop()
        self.register("a.example/x")
        self.assertEqual(self.tallies.resources, {})

    def test_other_events(self) -> None:
        """They count nothing."""
        self.events.emit(Kind.STREAM_ENDED, resource="a.example/x", kubelets=True)
        self.events.emit(Kind.SCAN_RETURNED, scanner="x:Y")
        self.assertEqual((self.tallies.resources, self.tallies.scanners), ({}, {}))

    def test_many_calls(self) -> None:
        """A call of each method and status has durations of its own."""
        for method, status in (("Allocate", "OK"), ("Allocate", "OK"), ("Allocate", "ABORTED")):
            self.events.emit(
                Kind.CALLED, resource="a.example/x", method=method, status=status, seconds=0.5
            )
        calls = self.tallies.resources["a.example/x"].calls
        self.assertEqual(
            {key: sum(durations.buckets) for key, durations in calls.items()},
            {("Allocate", "OK"): 2, ("Allocate", "ABORTED"): 1},
        )


class DurationsTests(SynchronousTestCase):
    """Durations in their buckets."""

    def test_edges(self) -> None:
        """A duration belongs to the first bucket that is not less, and a long one to the last."""
        durations = Durations()
        for seconds in (0.0, BOUNDS[0], BOUNDS[0] + 1e-9, BOUNDS[-1], BOUNDS[-1] + 1, 1e9):
            durations.add(seconds)
        self.assertEqual(durations.buckets[:2], [2, 1])
        self.assertEqual(durations.buckets[-2:], [1, 2])
        self.assertEqual(sum(durations.buckets), 6)
        self.assertGreater(durations.sum, 1e9)
