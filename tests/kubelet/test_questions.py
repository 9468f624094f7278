"""Tests for `twistdp.kubelet.questions`, on a clock."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twistdp.kubelet.questions import AFTER, GAP, Questions


class QuestionsTests(SynchronousTestCase):
    """Each question has its number as the answer, at once or when the test lets it."""

    def setUp(self) -> None:
        """Nothing was asked yet."""
        self.clock = Clock()
        self.asked: list[float] = []
        self.answering: Deferred[None] | None = None
        self.later: float | None = None
        self.left = 0
        self.questions = Questions(self.clock, self.ask, lambda: self.later, self.leave)

    async def ask(self) -> int:
        """Count the question."""
        self.asked.append(self.clock.seconds())
        number = len(self.asked)
        if self.answering is not None:
            try:
                await self.answering
            except CancelledError:
                number = 0
        return number

    def leave(self) -> None:
        """Nobody else is interested."""
        self.left += 1
        if not self.questions.is_awaited:
            self.questions.stop()

    def test_shared(self) -> None:
        """Many share one question; one that comes while it runs is asked after it."""
        answering = self.answering = Deferred()
        first = [self.questions.ask() for _ in range(200)]
        self.clock.advance(0.0)
        late = self.questions.ask()
        self.answering = None
        answering.callback(None)
        self.assertEqual({self.successResultOf(each) for each in first}, {1})
        self.assertNoResult(late)
        self.clock.advance(GAP)
        self.assertEqual(self.successResultOf(late), 2)
        self.assertEqual(self.asked, [0.0, GAP])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_events(self) -> None:
        """Events of a short time cause one question, those of a storm one in each gap."""
        for _ in range(3):
            self.questions.ask_soon()
        self.clock.pump([AFTER / 5] * 50)
        self.assertEqual(len(self.asked), 1)
        self.asked.clear()
        for _ in range(1000):
            self.questions.ask_soon()
            self.clock.advance(GAP / 10)
        self.assertTrue(50 <= len(self.asked) <= 101, len(self.asked))

    def test_later(self) -> None:
        """Where nothing happens it asks when it was told to; a question in between counts."""
        self.later = 5.0
        self.questions.ask_soon()
        self.clock.advance(AFTER)
        self.clock.advance(4.0)
        self.later = 9.0
        self.questions.ask_soon()
        self.clock.advance(AFTER)
        self.clock.advance(4.0)
        self.assertEqual(len(self.asked), 2)
        self.later = None
        self.clock.advance(1.0)
        self.assertEqual(len(self.asked), 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_left(self) -> None:
        """A call that nobody waits for any more ends when it is stopped."""
        answering = self.answering = Deferred()
        asking = self.questions.ask()
        self.clock.advance(0.0)
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertEqual((self.left, answering.called), (1, True))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_left_in_an_answer(self) -> None:
        """Who gets the answer may cancel the question of the next, and asking goes on."""
        first, second = self.questions.ask(), self.questions.ask()
        first.addCallback(lambda _: second.cancel())
        self.clock.advance(GAP)
        self.failureResultOf(second, CancelledError)
        again = self.questions.ask()
        self.clock.advance(GAP)
        self.assertEqual(self.successResultOf(again), 2)
