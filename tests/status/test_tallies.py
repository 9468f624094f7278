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

    def test_numbers(self) -> None:
        """Each event counts once, in its own number."""
        x = "a.example/x"
        changes = {"added": 3, "removed": 0, "unhealthy": 2, "healthy": 1}
        for _ in range(2):
            self.register(x)
            self.events.emit(Kind.REGISTRATION_FAILED, resource=x, reason="no", refused=True)
            self.events.emit(Kind.STREAM_OPENED, resource=x, kubelets=True)
            self.events.emit(Kind.ALLOCATED, resource=x, ids=[["1", "2"], ["3"]])
            self.events.emit(Kind.DEVICES_CHANGED, resource=x, changes=changes)
            self.events.emit(Kind.HELD, resource=x, changes={"held": 9, "released": 4})
            self.events.emit(Kind.SCANNED, scanner="s", seconds=2.0, failed=True)
            self.events.emit(Kind.SCAN_HUNG, scanner="s", seconds=30.0)
            self.events.emit(Kind.KUBELET_APPEARED, directory="/d")
            self.events.emit(Kind.OVERFLOWED, source="inotify")
            self.events.emit(Kind.CONFIGURATION_READ, file="/f", changed=[])
            self.events.emit(Kind.CONFIGURATION_REFUSED, file="/f", problems=["p"])
        self.events.emit(Kind.REGISTRATION_FAILED, resource=x, reason="no", refused=False)
        self.events.emit(Kind.SCANNED, scanner="s", seconds=0.5, failed=False)
        for size, skipped in ((100, 0), (70, 5)):
            self.events.emit(Kind.LIST_SENT, resource=x, size=size, skipped=skipped)
        found = self.tallies.resources[x]
        self.assertEqual(found.registrations, {"registered": 2, "refused": 2, "failed": 1})
        self.assertEqual((found.streams, found.allocated, found.released), (2, 6, 8))
        self.assertEqual(found.changes, {key: 2 * count for key, count in changes.items()})
        self.assertEqual((found.lists, found.lists_skipped), (2, 5))
        self.assertEqual((found.list_bytes, found.list_size), (170, 70))
        scanner = self.tallies.scanners["s"]
        self.assertEqual((scanner.failed, scanner.hung), (2, 2))
        self.assertEqual((sum(scanner.scans.buckets), scanner.scans.sum), (3, 4.5))
        self.assertEqual((self.tallies.kubelets, self.tallies.overflows), (2, {"inotify": 2}))
        self.assertEqual(self.tallies.files, {("/f", "read"): 2, ("/f", "refused"): 2})

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
