"""The work queue: each key once at a time, a few at once."""

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twistdp.operator.queue import CONCURRENCY, FIRST_RETRY, LONGEST_RETRY, Attempts, WorkQueue


class Bench:
    """A queue whose work lasts until the test ends it."""

    def __init__(self, concurrency: int = CONCURRENCY) -> None:
        self.clock = Clock()
        self.begun: list[str] = []
        self.running: dict[str, Deferred[None]] = {}
        self.queue = WorkQueue(self.clock, self.work, concurrency)
        self.queue.start()

    def work(self, key: str) -> Deferred[None]:
        assert key not in self.running
        self.begun.append(key)
        self.running[key] = Deferred()
        return self.running[key]

    def end(self, key: str) -> None:
        self.running.pop(key).callback(None)
        self.clock.advance(0)


class WorkQueueTests(SynchronousTestCase):
    """Which keys are worked on, and when."""

    def test_burst(self) -> None:
        """A key that is added many times before its turn is worked on once."""
        bench = Bench()
        bench.clock.advance(100)
        for _ in range(10):
            bench.queue.add("a")
        self.assertEqual((len(bench.queue), bench.begun), (1, []))
        # A reactor refuses to call something in the past.
        self.assertEqual([call.getTime() for call in bench.clock.getDelayedCalls()], [100.0])
        bench.clock.advance(0)
        self.assertEqual(bench.begun, ["a"])

    def test_while_running(self) -> None:
        """A key that is added while it is worked on gets one more turn, after that."""
        bench = Bench()
        bench.queue.add("a")
        bench.clock.advance(0)
        for _ in range(10):
            bench.queue.add("a")
        bench.clock.advance(10)
        self.assertEqual(bench.begun, ["a"])
        bench.end("a")
        self.assertEqual(bench.begun, ["a", "a"])
        bench.end("a")
        bench.clock.advance(10)
        self.assertEqual(bench.begun, ["a", "a"])

    def test_bound(self) -> None:
        """At most so many are under way; the others follow in order."""
        bench = Bench(concurrency=2)
        for key in "abcd":
            bench.queue.add(key)
        bench.clock.advance(0)
        self.assertEqual(bench.begun, ["a", "b"])
        bench.end("b")
        self.assertEqual(bench.begun, ["a", "b", "c"])

    def test_later(self) -> None:
        """Of several delays the shortest counts, and none is left once the key had its turn."""
        bench = Bench()
        bench.queue.add("a", 10)
        bench.queue.add("a", 5)
        bench.queue.add("a", 20)
        bench.clock.advance(4.9)
        self.assertEqual(bench.begun, [])
        bench.clock.advance(0.1)
        bench.clock.advance(0)
        self.assertEqual(bench.begun, ["a"])
        bench.end("a")
        bench.clock.advance(60)
        self.assertEqual(bench.begun, ["a"])

    def test_soon(self) -> None:
        """A short delay is kept to as well, and a longer one after it is none."""
        bench = Bench()
        bench.queue.add("a", 0.5)
        bench.queue.add("a", 0.9)
        bench.clock.advance(0.4)
        self.assertEqual(bench.begun, [])
        bench.clock.pump([0.1, 0])
        self.assertEqual(bench.begun, ["a"])

    def test_now_instead_of_later(self) -> None:
        """A key that is added for now is not worked on later as well."""
        bench = Bench()
        for _ in range(2):
            bench.begun.clear()
            bench.queue.add("a", 10)
            bench.queue.add("a")
            bench.queue.add("a", 10)
            bench.clock.advance(0)
            bench.end("a")
            bench.clock.advance(60)
            self.assertEqual(bench.begun, ["a"])

    def test_adds_itself(self) -> None:
        """Work that adds its own key as it begins has another turn, after this one."""
        clock = Clock()
        running: list[Deferred[None]] = []

        def work(key: str) -> Deferred[None]:
            if not running:
                queue.add(key)
            running.append(Deferred())
            return running[-1]

        queue = WorkQueue(clock, work)
        queue.start()
        queue.add("a")
        clock.advance(0)
        self.assertEqual(len(running), 1)
        running[0].callback(None)
        clock.advance(0)
        self.assertEqual(len(running), 2)

    def test_hold(self) -> None:
        """Nothing begins while the queue is held, and then all does."""
        bench = Bench()
        bench.queue.add("a")
        bench.queue.hold(10)
        bench.queue.hold(5)
        bench.clock.advance(9.9)
        bench.queue.add("b")
        self.assertEqual(bench.begun, [])
        bench.clock.advance(0.2)
        self.assertEqual(bench.begun, ["a", "b"])

    def test_stop(self) -> None:
        """What is under way is cancelled and waited for; nothing begins after that."""
        bench = Bench()
        bench.queue.add("a")
        bench.clock.advance(0)
        bench.queue.add("a")
        bench.queue.add("b", 5)
        stopped = bench.queue.stop()
        self.successResultOf(stopped)
        self.assertTrue(bench.running["a"].called)
        self.assertEqual(len(bench.queue), 0)
        bench.clock.advance(60)
        self.assertEqual((bench.begun, bench.clock.getDelayedCalls()), (["a"], []))
        bench.queue.add("b")
        bench.clock.advance(60)
        self.assertEqual(bench.begun, ["a"])

    def test_start(self) -> None:
        """Nothing begins before the start, nor what was added before a stop after another one."""
        bench = Bench(concurrency=1)
        queue = WorkQueue(bench.clock, bench.work)
        queue.add("a")
        bench.clock.advance(60)
        self.assertEqual(bench.begun, [])
        queue.start()
        queue.stop()
        queue.start()
        queue.add("b")
        bench.clock.advance(0)
        self.assertEqual(bench.begun, ["b"])
        queue.stop()
        bench.running.clear()
        queue.add("c")
        queue.start()
        bench.clock.advance(0)
        self.assertEqual(bench.begun, ["b", "c"])

    def test_fault(self) -> None:
        """Work that fails is logged, and done again after the longest delay."""
        bench = Bench()
        begun = []

        def work(key: str) -> Deferred[None]:
            begun.append(key)
            return fail(ValueError("oops"))

        queue = WorkQueue(bench.clock, work)
        queue.start()
        queue.add("a")
        bench.clock.advance(0)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        bench.clock.pump([LONGEST_RETRY, 0])
        self.assertEqual(begun, ["a", "a"])
        self.flushLoggedErrors(ValueError)
        queue.stop()

    def test_cancelled(self) -> None:
        """Work that was cancelled is not done again."""
        bench = Bench()
        bench.queue.add("a")
        bench.clock.advance(0)
        bench.running["a"].errback(CancelledError())
        bench.clock.advance(LONGEST_RETRY * 2)
        self.assertEqual(bench.begun, ["a"])


class AttemptsTests(SynchronousTestCase):
    """When to try again."""

    def test_at_once(self) -> None:
        """The first attempt is made at once, and so is one for something else."""
        attempts = Attempts(Clock())
        self.assertEqual(attempts.wait, 0)
        attempts.failed()
        attempts.reset()
        self.assertEqual(attempts.wait, 0)

    def test_longer_and_longer(self) -> None:
        """Delays grow from the first to the longest, each varied by a fifth, until it works."""
        clock = Clock()
        attempts = Attempts(clock)
        delays = [attempts.failed() for _ in range(20)]
        self.assertTrue(0.8 * FIRST_RETRY <= delays[0] <= 1.2 * FIRST_RETRY)
        self.assertTrue(0.8 * LONGEST_RETRY <= delays[-1] <= 1.2 * LONGEST_RETRY)
        self.assertEqual((attempts.wait, attempts.failures), (delays[-1], 20))
        clock.advance(delays[-1])
        self.assertEqual(attempts.wait, 0)
        clock.advance(60)
        self.assertEqual(attempts.wait, 0)
        attempts.failed()
        attempts.reset()
        self.assertEqual(attempts.wait, 0)
        self.assertLess(attempts.failed(), 1.3)
        self.assertEqual(attempts.failures, 1)
