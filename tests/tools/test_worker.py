"""Tests for twistdp.tools.worker."""

import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.support.helpers import soon
from twistdp.host.limits import remedy_for
from twistdp.tools.worker import Worker

NAME = "tests.tools.test_worker:worker"


def threads() -> list[threading.Thread]:
    """The worker's threads."""
    return [thread for thread in threading.enumerate() if thread.name == NAME]


def end(worker: Worker) -> None:
    """Stop the worker and see its thread end."""
    running = threads()
    worker.stop()
    for thread in running:
        thread.join(30.0)
    assert threads() == [], threads()


class CallTests(TestCase):
    """Tests for `Worker.call` with the real reactor."""

    def setUp(self) -> None:
        """Make a worker that ends with the test."""
        self.worker = Worker(NAME, reactor)
        self.addCleanup(end, self.worker)

    async def test_value(self) -> None:
        """The Deferred fires with the function's value, in the reactor's thread."""
        where: list[threading.Thread] = []

        def function() -> str:
            where.append(threading.current_thread())
            return "value"

        done = soon(self.worker.call(function))
        done.addCallback(lambda value: (value, threading.current_thread()))
        self.assertEqual(await done, ("value", threading.current_thread()))
        self.assertEqual([thread.name for thread in where], [NAME])

    async def test_exception(self) -> None:
        """The Deferred fails with what the function raises, and its stack."""

        def broken() -> None:
            raise ZeroDivisionError("by zero")

        done = soon(self.worker.call(broken))
        stacks: list[str] = []

        def look(failure: Any) -> Any:
            stacks.append(failure.getTraceback())
            return failure

        await self.assertFailure(done.addErrback(look), ZeroDivisionError)
        self.assertIn("in broken", stacks[0])

    async def test_exceptions_that_end_threads(self) -> None:
        """Not even SystemExit and its like end the thread; they fail the one call."""
        for kind in (SystemExit, KeyboardInterrupt, GeneratorExit):

            def leave(kind: type[BaseException] = kind) -> None:
                raise kind

            await self.assertFailure(soon(self.worker.call(leave)), kind)
        self.assertEqual(await soon(self.worker.call(lambda: "still here")), "still here")
        self.assertEqual(len(threads()), 1)

    async def test_no_thread(self) -> None:
        """If no thread can start, the call fails, and the next one tries again."""

        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        patch = self.patch(threading.Thread, "start", refuse)
        error = await self.assertFailure(soon(self.worker.call(lambda: 1)), OSError)
        self.assertIn("threads", remedy_for(error) or "")
        patch.restore()
        self.assertEqual(await soon(self.worker.call(lambda: 2)), 2)

    async def test_never_two_at_once(self) -> None:
        """Calls run one after the other, in order, in one thread."""
        running: list[int] = []
        seen: list[tuple[int, int]] = []

        def function(number: int) -> Callable[[], None]:
            def run() -> None:
                running.append(number)
                seen.append((number, len(running)))
                running.remove(number)

            return run

        calls = [self.worker.call(function(number)) for number in range(50)]
        for call in calls:
            await soon(call)
        self.assertEqual(seen, [(number, 1) for number in range(50)])
        self.assertEqual(len(threads()), 1)

    def test_second_call_waits_for_the_first(self) -> None:
        """A call is not begun while the one before it blocks."""
        entered, release, second = threading.Event(), threading.Event(), threading.Event()

        def block() -> None:
            entered.set()
            release.wait(60.0)

        first_done = self.worker.call(block)
        second_done = self.worker.call(second.set)
        self.assertTrue(entered.wait(30.0))
        self.assertFalse(second.is_set())
        release.set()
        return soon(first_done.addCallback(lambda _: second_done))  # type: ignore[return-value]

    def test_the_thread_keeps_no_process_alive(self) -> None:
        """The thread is a daemon, made at the first call and not before."""
        self.assertEqual(threads(), [])
        done = self.worker.call(lambda: None)
        (thread,) = threads()
        self.assertTrue(thread.daemon)
        return soon(done)  # type: ignore[return-value]

    def test_stack(self) -> None:
        """The stack shows where a call blocks; without a thread there is none."""
        entered, release = threading.Event(), threading.Event()

        def a_function_that_blocks() -> None:
            entered.set()
            release.wait(60.0)

        self.assertEqual(self.worker.stack(), "")
        done = self.worker.call(a_function_that_blocks)
        self.assertTrue(entered.wait(30.0))
        self.assertIn("in a_function_that_blocks", self.worker.stack())
        self.assertNotIn("test_stack", self.worker.stack().splitlines()[-1])
        release.set()
        return soon(done)  # type: ignore[return-value]


class Turns:
    """Stands in for the reactor: keeps what threads ask it to call."""

    def __init__(self) -> None:
        self.asked: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()

    def callFromThread(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Keep the call for a turn."""
        self.asked.put((function, arguments))

    def turn(self) -> None:
        """Make one call, for which is waited."""
        function, arguments = self.asked.get(timeout=5.0)
        function(*arguments)


class StopTests(SynchronousTestCase):
    """Tests for `Worker.stop`."""

    def setUp(self) -> None:
        """Make a worker and a call that blocks."""
        self.turns = Turns()
        self.worker = Worker(NAME, self.turns)
        self.addCleanup(end, self.worker)
        self.entered, self.release = threading.Event(), threading.Event()
        self.addCleanup(self.release.set)

    def block(self) -> str:
        """Block until the test allows to return."""
        self.entered.set()
        self.release.wait(60.0)
        return "value"

    def test_outcome_comes_by_the_reactor(self) -> None:
        """Without a turn of the reactor nothing fires."""
        done = self.worker.call(self.block)
        self.release.set()
        function, arguments = self.turns.asked.get(timeout=5.0)
        self.assertNoResult(done)
        function(*arguments)
        self.assertEqual(self.successResultOf(done), "value")

    def test_outcome_after_the_stop(self) -> None:
        """The outcome of a call that is under way at the stop is dropped; the thread ends."""
        done = self.worker.call(self.block)
        called: list[bool] = []
        never = self.worker.call(lambda: called.append(True))
        self.assertTrue(self.entered.wait(30.0))
        (thread,) = threads()
        self.worker.stop()
        self.release.set()
        thread.join(30.0)
        self.assertFalse(thread.is_alive())
        self.assertEqual(called, [])
        self.assertTrue(self.turns.asked.empty())
        self.assertNoResult(done)
        self.assertNoResult(never)

    def test_call_after_a_stop(self) -> None:
        """A call after a stop waits for the one that was under way, in the same thread."""
        dropped = self.worker.call(self.block)
        self.assertTrue(self.entered.wait(30.0))
        (thread,) = threads()
        for _ in range(3):
            self.worker.stop()
            done = self.worker.call(lambda: threading.current_thread())
        self.assertIn("in block", self.worker.stack())
        self.assertEqual(threads(), [thread])
        self.release.set()
        self.turns.turn()
        self.assertIs(self.successResultOf(done), thread)
        for _ in range(20):  # and the thread has not ended since
            done = self.worker.call(threading.current_thread)
            self.turns.turn()
            self.assertIs(self.successResultOf(done), thread)
        self.assertNoResult(dropped)
        self.assertTrue(self.turns.asked.empty())

    def test_call_after_the_end(self) -> None:
        """A call after a stop that has ended the thread starts another."""
        self.worker.call(lambda: None)
        self.turns.turn()
        end(self.worker)
        done = self.worker.call(lambda: "value")
        self.turns.turn()
        self.assertEqual(self.successResultOf(done), "value")

    def test_outcome_on_its_way(self) -> None:
        """An outcome that the reactor has not delivered yet at the stop is dropped too."""
        done = self.worker.call(lambda: "value")
        function, arguments = self.turns.asked.get(timeout=5.0)
        self.worker.stop()
        function(*arguments)
        self.assertNoResult(done)

    def test_stop_without_a_thread(self) -> None:
        """A worker that was never used stops, and has no stack."""
        self.worker.stop()
        self.worker.stop()
        self.assertEqual(self.worker.stack(), "")
        self.assertEqual(threads(), [])

    def test_stack_of_an_ended_thread(self) -> None:
        """A thread that has ended has no stack."""
        done = self.worker.call(lambda: "value")
        self.turns.turn()
        self.assertEqual(self.successResultOf(done), "value")
        (thread,) = threads()
        self.worker.stop()
        thread.join(30.0)
        self.assertNotIn(thread.ident, sys._current_frames())
        self.assertEqual(self.worker.stack(), "")
