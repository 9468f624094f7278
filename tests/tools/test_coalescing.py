"""Tests for `twistdp.tools.coalescing`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twistdp.tools.coalescing import CALM, LONGEST, QUIET, Coalescer

TOLERANCE = 1e-6
"""Seconds by which sums of floats may be off."""


class Recorder:
    """A coalescer on a clock, and when it acted."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(100.0)
        self.acts: list[float] = []
        self.coalescer = Coalescer(self.clock, lambda: self.acts.append(self.clock.seconds()))

    def advance_to(self, time: float) -> None:
        """Advance the clock, stopping at each delayed call as a reactor does."""
        while (calls := self.clock.getDelayedCalls()) and calls[0].getTime() <= time:
            self.clock.advance(max(0.0, calls[0].getTime() - self.clock.seconds()))
        self.clock.advance(max(0.0, time - self.clock.seconds()))


class CoalescerTests(SynchronousTestCase):
    """`Coalescer` decides when to act on events."""

    def setUp(self) -> None:
        """Make one."""
        self.recorder = Recorder()
        self.clock = self.recorder.clock
        self.acts = self.recorder.acts
        self.coalescer = self.recorder.coalescer

    def test_nothing_happens(self) -> None:
        """Without an event there is no act and no delayed call."""
        self.clock.advance(1000)
        self.assertEqual(self.acts, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_isolated(self) -> None:
        """An event after quiet is acted on at once, and only once."""
        for count in range(1, 4):
            self.coalescer.event()
            self.assertEqual(len(self.acts), count)
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.clock.advance(LONGEST * 1.1)
            self.assertEqual(len(self.acts), count)

    def test_follower_waits(self) -> None:
        """An event shortly after another is acted on when it has been quiet for a while."""
        self.coalescer.event()
        self.clock.advance(QUIET / 2)
        self.coalescer.event()
        self.assertEqual(len(self.acts), 1)
        self.clock.advance(QUIET * 0.9)
        self.assertEqual(len(self.acts), 1)
        self.clock.advance(QUIET * 0.2)
        self.assertEqual(len(self.acts), 2)
        self.clock.advance(10)
        self.assertEqual(len(self.acts), 2)

    def test_followers_share_an_act(self) -> None:
        """Each follower starts the quiet time again, and one act serves them all."""
        for _ in range(5):
            self.coalescer.event()
            self.clock.advance(QUIET * 0.8)
        self.assertEqual(len(self.acts), 1)
        self.clock.advance(QUIET * 0.4)
        self.assertEqual(len(self.acts), 2)

    def test_after_an_act(self) -> None:
        """An event right after a delayed act waits too: acting is news to nobody."""
        self.coalescer.event()
        self.coalescer.event()
        self.clock.advance(QUIET)
        self.assertEqual(len(self.acts), 2)
        self.clock.advance(QUIET / 2)
        self.coalescer.event()
        self.assertEqual(len(self.acts), 2)
        self.clock.advance(2 * QUIET)
        self.assertEqual(len(self.acts), 3)

    def test_storm(self) -> None:
        """While events keep coming, it acts at a steady and bounded rate."""
        start = self.clock.seconds()
        while self.clock.seconds() < start + 10 * LONGEST:
            self.coalescer.event()
            self.clock.advance(0.001)
        self.assertTrue(9 <= len(self.acts) <= 12, self.acts)
        for earlier, later in zip(self.acts, self.acts[1:], strict=False):
            self.assertTrue(later - earlier <= LONGEST + 0.002 + TOLERANCE)

    def test_steady_drip(self) -> None:
        """Events that come just after each quiet are no isolated ones: the distance grows."""
        for _ in range(1000):
            self.coalescer.event()
            self.recorder.advance_to(self.clock.seconds() + QUIET * 1.2)
        one, other = self.acts[20], self.acts[120]
        self.assertTrue(LONGEST <= (other - one) / 100 <= LONGEST + QUIET * 1.2)

    def test_calm(self) -> None:
        """After a storm and some calm, a follower is as quick as ever."""
        for _ in range(100):
            self.coalescer.event()
            self.recorder.advance_to(self.clock.seconds() + 0.004)
        self.recorder.advance_to(self.clock.seconds() + LONGEST + CALM)
        del self.acts[:]
        start = self.clock.seconds()
        self.coalescer.event()
        self.coalescer.event()
        self.recorder.advance_to(start + 1)
        self.assertEqual(len(self.acts), 2)
        self.assertAlmostEqual(self.acts[1] - start, QUIET)

    def test_just_in_time(self) -> None:
        """When the distance has just passed, it acts at once; after just `CALM`, it is calm."""
        clock, acts = Clock(), self.acts  # at 0, where sums of floats are exact
        coalescer = Coalescer(clock, lambda: acts.append(clock.seconds()))
        coalescer.event()
        clock.advance(QUIET)
        coalescer.event()
        self.assertEqual(acts, [0.0, QUIET])
        coalescer = Coalescer(clock := Clock(), lambda: acts.append(clock.seconds()))
        coalescer.event()
        clock.advance(CALM)
        coalescer.event()
        coalescer.event()
        clock.advance(QUIET)
        self.assertEqual(acts[2:], [0.0, CALM, CALM + QUIET])

    def test_event_during_an_act(self) -> None:
        """An event that an act itself causes is acted on later, not within the act."""
        depth: list[int] = []
        acts: list[int] = []

        def act() -> None:
            depth.append(1)
            acts.append(len(depth))
            if len(acts) < 3:
                coalescer.event()
            depth.pop()

        coalescer = Coalescer(self.clock, act)
        coalescer.event()
        for expected in (1, 2, 3, 3):
            self.assertEqual(acts, [1] * expected)
            self.clock.advance(2 * QUIET)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failed_act(self) -> None:
        """An act that raises does not keep later events from being acted on."""
        results = iter([ZeroDivisionError, None])
        acts: list[object] = []

        def act() -> None:
            acts.append(1)
            if error := next(results):
                raise error

        coalescer = Coalescer(self.clock, act)
        self.assertRaises(ZeroDivisionError, coalescer.event)
        coalescer.event()
        self.clock.advance(QUIET)
        self.assertEqual(len(acts), 2)

    def test_stop(self) -> None:
        """Stopping forgets what waits, leaves no delayed call, and may be done at any time."""
        self.coalescer.stop()
        self.coalescer.event()
        self.coalescer.event()
        self.coalescer.stop()
        self.coalescer.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(10)
        self.assertEqual(len(self.acts), 1)
        self.coalescer.stop()

    def test_event_after_stop(self) -> None:
        """Events after a stop are acted on again."""
        self.coalescer.event()
        self.coalescer.event()
        self.coalescer.stop()
        self.clock.advance(LONGEST * 1.1)
        self.coalescer.event()
        self.assertEqual(len(self.acts), 2)

    @given(
        st.lists(
            st.one_of(
                st.just(0.0),
                st.floats(0, QUIET * 1.5),
                st.floats(0, LONGEST * 2),
                st.sampled_from([QUIET, QUIET * 1.01, CALM]),
            ),
            min_size=1,
            max_size=100,
        )
    )
    def test_any_events(self, pauses: list[float]) -> None:
        """Every event is followed by an act soon, and acts keep their distance."""
        recorder = Recorder()
        events = []
        for pause in pauses:
            recorder.advance_to(recorder.clock.seconds() + pause)
            events.append(recorder.clock.seconds())
            before = len(recorder.acts)
            recorder.coalescer.event()
            isolated = len(events) < 2 or events[-1] - max(events[-2], *recorder.acts) >= LONGEST
            if isolated:
                self.assertEqual(len(recorder.acts), before + 1)
        recorder.advance_to(recorder.clock.seconds() + LONGEST + TOLERANCE)
        self.assertEqual(recorder.clock.getDelayedCalls(), [])
        for event in events:
            wait = min(act for act in recorder.acts if act >= event) - event
            self.assertLessEqual(wait, LONGEST + TOLERANCE)
        for act in recorder.acts:
            self.assertLessEqual(sum(act <= other < act + 1 for other in recorder.acts), 25)
        for earlier, later in zip(recorder.acts, recorder.acts[1:], strict=False):
            self.assertGreaterEqual(later - earlier, QUIET - TOLERANCE)
        self.assertLessEqual(len(recorder.acts), len(events))
