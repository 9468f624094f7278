"""Tests of events: what happens, as values."""

import time

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twistdp.status.events import KEPT, TRANSIENT, Event, Events, Kind, events_of


class EventsTests(SynchronousTestCase):
    """Who gets an event, and which are kept."""

    def setUp(self) -> None:
        self.events = Events()
        self.got: list[Event] = []

    def test_followers(self) -> None:
        """A follower gets the events from when it begins until it ends."""
        self.events.emit(Kind.REGISTERED, resource="a.example/early")
        end = self.events.follow(self.got.append)
        self.events.emit(Kind.REGISTERED, resource="a.example/x")
        end()
        end()
        self.events.emit(Kind.REGISTERED, resource="a.example/late")
        (event,) = self.got
        self.assertEqual(
            (event.number, event.kind, event.facts),
            (2, Kind.REGISTERED, {"resource": "a.example/x"}),
        )

    def test_followers_of_kinds(self) -> None:
        """A follower of one kind gets no events of another."""
        end = self.events.follow_each({Kind.HELD: self.got.append})
        for kind in (Kind.HELD, Kind.REGISTERED, Kind.HELD):
            self.events.emit(kind, resource="a.example/x")
        end()
        self.events.emit(Kind.HELD, resource="a.example/x")
        self.assertEqual([event.kind for event in self.got], [Kind.HELD, Kind.HELD])

    def test_a_follower_that_follows_twice(self) -> None:
        """It gets each event twice; each end ends one of the two, however often it is called."""
        ends = [self.events.follow(self.got.append) for _ in range(2)]
        self.events.emit(Kind.REGISTERED, resource="a.example/x")
        self.assertEqual(len(self.got), 2)
        ends[0]()
        ends[0]()
        self.events.emit(Kind.REGISTERED, resource="a.example/x")
        self.assertEqual(len(self.got), 3)
        ends[1]()
        self.events.emit(Kind.REGISTERED, resource="a.example/x")
        self.assertEqual(len(self.got), 3)

    def test_followers_that_change_meanwhile(self) -> None:
        """Who ends or begins while an event is handed on does so from the next event on."""

        def once(event: Event) -> None:
            self.got.append(event)
            end()
            self.events.follow(late.append)

        late: list[Event] = []
        end = self.events.follow(once)
        after: list[Event] = []
        self.events.follow(after.append)
        for _ in range(2):
            self.events.emit(Kind.REGISTERED, resource="a.example/x")
        self.assertEqual([len(each) for each in (self.got, after, late)], [1, 2, 1])

    def test_kept(self) -> None:
        """The newest are kept, in order, and no frequent kind among them."""
        self.events.follow(self.got.append)
        for number in range(KEPT + 5):
            self.events.emit(Kind.NOT_LISTED, resource="a.example/x", count=number)
            self.events.emit(Kind.LIST_SENT, resource="a.example/x", size=1, skipped=0)
        self.assertEqual(
            [event.facts["count"] for event in self.events.kept], list(range(5, KEPT + 5))
        )
        self.assertEqual(len(self.got), 2 * (KEPT + 5))

    def test_many_devices(self) -> None:
        """Followers get all ids; the kept event has some of them, and their number."""
        got: list[Event] = []
        self.events.follow(got.append)
        ids = [[f"{container}-{number}" for number in range(60)] for container in range(3)]
        self.events.emit(Kind.ALLOCATED, resource="x/y", ids=ids)
        self.assertEqual(got[0].facts["ids"], ids)
        facts = self.events.kept[0].facts
        self.assertEqual(
            (facts["ids"], facts["devices"], facts["resource"]),
            ([ids[0], ids[1][:40]], 180, "x/y"),
        )
        self.events.emit(Kind.ALLOCATED, resource="x/y", ids=ids[:1])
        self.assertIs(self.events.kept[1], got[1])

    def test_a_frequent_kind_without_followers(self) -> None:
        """It costs no number: numbers have no gaps for those who resume."""
        for kind in TRANSIENT:
            self.events.emit(kind)
        self.events.emit(Kind.REGISTERED, resource="a.example/x")
        self.assertEqual([event.number for event in self.events.kept], [1])

    def test_a_follower_that_fails(self) -> None:
        """It is logged, and the others get the event."""

        def fail(event: Event) -> None:
            raise ValueError(event.kind.value)

        self.events.follow(fail)
        self.events.follow(self.got.append)
        self.events.emit(Kind.SCAN_RETURNED, scanner="x")
        self.assertEqual(len(self.got), 1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_numbers_of_another_process(self) -> None:
        """A later process begins beyond all numbers of an earlier one."""
        first, later = Clock(), Clock()
        events = events_of(first)
        now = time.time() + 1.0
        self.patch(time, "time", lambda: now)
        for _ in range(100):
            events.emit(Kind.OVERFLOWED, source="inotify")
        others = events_of(later)
        others.emit(Kind.OVERFLOWED, source="inotify")
        self.assertGreater(others.kept[0].number, events.kept[-1].number)

    def test_one_of_a_clock(self) -> None:
        """All that runs on one clock shares the events; another clock has others."""
        clock, other = Clock(), Clock()
        events = events_of(clock)
        self.assertIs(events_of(clock), events)
        self.assertIsNot(events_of(other), events)
