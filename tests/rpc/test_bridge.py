"""Tests for `twistdp.rpc.bridge`."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from tests.support.helpers import Gate, soon
from twistdp.errors import BadSetting
from twistdp.rpc import bridge
from twistdp.rpc.clock import keep_steady


class ReactorTests(TestCase):
    """Tests for `bridge.require_asyncio_reactor` and `bridge.loop_of`."""

    def test_another_reactor_is_refused_with_the_remedy(self) -> None:
        """A reactor without an asyncio loop is refused by name, with what to do instead."""
        for function in (bridge.require_asyncio_reactor, bridge.loop_of, keep_steady):
            error = self.assertRaises(BadSetting, function, Clock())
            self.assertIn("Clock", str(error))
            self.assertIn("--reactor=asyncio", str(error))

    async def test_the_loop_is_the_one_that_runs(self) -> None:
        """The loop of the installed reactor is the one that coroutines of it run on."""

        async def running() -> asyncio.AbstractEventLoop:
            return asyncio.get_running_loop()

        loop = bridge.loop_of(reactor)
        self.assertIs(await soon(bridge.deferred_from(running(), loop)), loop)


class DeferredFromTests(TestCase):
    """Tests for `bridge.deferred_from`."""

    def setUp(self) -> None:
        """Get the loop."""
        self.loop = bridge.loop_of(reactor)

    async def test_value(self) -> None:
        """The Deferred fires with what the coroutine returns."""
        self.assertEqual(await soon(bridge.deferred_from(asyncio.sleep(0, 7), self.loop)), 7)

    async def test_error(self) -> None:
        """The Deferred fails with what the coroutine raises."""

        async def broken() -> None:
            await asyncio.sleep(0)
            raise ValueError("broken")

        await self.assertFailure(soon(bridge.deferred_from(broken(), self.loop)), ValueError)

    async def test_cancel_reaches_the_coroutine_and_speaks_twisted(self) -> None:
        """Cancelling runs the coroutine's clean-up and fails with Twisted's CancelledError."""
        entered: Deferred[None] = Deferred()
        left: Deferred[None] = Deferred()

        async def parked() -> None:
            try:
                entered.callback(None)
                await self.loop.create_future()
            finally:
                left.callback(None)

        deferred = bridge.deferred_from(parked(), self.loop)
        await soon(entered)
        deferred.cancel()
        await self.assertFailure(deferred, CancelledError)
        await soon(left)


class CountingFuture(asyncio.Future[None]):
    """A future that knows its callbacks."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.callbacks: list[Any] = []

    def add_done_callback(self, fn: Any, **options: Any) -> None:
        """Count it."""
        self.callbacks.append(fn)
        super().add_done_callback(fn, **options)

    def remove_done_callback(self, fn: Any, /) -> int:
        """Count it no more."""
        self.callbacks.remove(fn)
        return super().remove_done_callback(fn)


class AwaitedTests(TestCase):
    """Tests for `bridge.awaited`."""

    def setUp(self) -> None:
        """Get the loop."""
        self.loop = bridge.loop_of(reactor)

    def awaited(self, result: Any) -> Deferred[Any]:
        """Wait for `result` in an asyncio task."""
        return soon(bridge.deferred_from(bridge.awaited(result), self.loop))

    async def test_value(self) -> None:
        """A value is its own result."""
        self.assertEqual(await self.awaited("value"), "value")

    async def test_fired_deferred(self) -> None:
        """A Deferred that has fired gives its result."""
        self.assertEqual(await self.awaited(succeed("value")), "value")

    async def test_deferred_that_fires_later(self) -> None:
        """A Deferred is waited for."""
        result: Deferred[str] = Deferred()
        waiting = self.awaited(result)
        self.assertNoResult(waiting)
        result.callback("value")
        self.assertEqual(await waiting, "value")

    async def test_coroutine_that_awaits_a_deferred(self) -> None:
        """A coroutine may await a Deferred that has not fired."""
        gate = Gate()

        async def handler() -> str:
            return f"got {await gate.wait()}"

        waiting = self.awaited(handler())
        await soon(gate.entered)
        gate.opened.callback("value")
        self.assertEqual(await waiting, "got value")

    async def test_failed_deferred(self) -> None:
        """A Deferred's failure is raised."""
        await self.assertFailure(self.awaited(fail(KeyError("missing"))), KeyError)

    async def test_stop_iteration_is_no_end_without_an_answer(self) -> None:
        """A Deferred that fails with StopIteration, which no Future takes, still fails."""
        error = await self.assertFailure(self.awaited(fail(StopIteration())), RuntimeError)
        self.assertIsInstance(error.__cause__, StopIteration)

    async def test_cancelled_task_waits_for_the_clean_up(self) -> None:
        """When its task is cancelled, a coroutine's clean-up is waited for, Deferreds and all."""
        gate, cleaning = Gate(), Gate()
        told: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda loop, context: told.append(context))
        self.addCleanup(self.loop.set_exception_handler, None)

        async def handler() -> None:
            try:
                await gate.wait()
            finally:
                await cleaning.wait()

        waiting = bridge.deferred_from(bridge.awaited(handler()), self.loop)
        ended: list[Any] = []
        waiting.addErrback(lambda failure: ended.append(failure.type))
        task_ended = soon(waiting)
        await soon(gate.entered)
        waiting.cancel()
        await soon(cleaning.entered)
        self.assertEqual(ended, [])
        cleaning.opened.callback(None)
        await task_ended
        self.assertEqual(ended, [CancelledError])
        gc.collect()
        self.assertEqual(told, [])

    async def test_error_in_the_clean_up(self) -> None:
        """An error while a cancelled coroutine cleans up is raised: nobody else sees it."""
        gate = Gate()

        async def handler() -> None:
            try:
                await gate.wait()
            finally:
                raise KeyError("missing")

        waiting = self.awaited(handler())
        await soon(gate.entered)
        waiting.cancel()
        await self.assertFailure(soon(waiting), KeyError)

    async def test_canceller_that_raises(self) -> None:
        """An error of a Deferred's canceller is the outcome."""

        def canceller(_: object) -> None:
            raise KeyError("missing")

        result: Deferred[Any] = Deferred(canceller)
        waiting = self.awaited(result)
        await soon(deferLater(reactor, 0.0))
        waiting.cancel()
        await self.assertFailure(soon(waiting), KeyError)
        result.callback("late")
        self.assertIsNone(self.successResultOf(result))

    async def test_second_cancel(self) -> None:
        """A second cancellation reaches the clean-up, whose end is waited for all the same."""
        gate, cleaning, end = Gate(), Gate(), Gate()

        async def handler() -> None:
            try:
                await gate.wait()
            finally:
                try:
                    await cleaning.wait()
                finally:
                    await end.wait()

        waiting = self.awaited(handler())
        ended = soon(waiting)
        await soon(gate.entered)
        waiting.cancel()
        await soon(cleaning.entered)
        waiting.cancel()
        await soon(end.entered)
        self.assertNoResult(ended)
        end.opened.callback(None)
        await self.assertFailure(ended, CancelledError)

    async def test_cancelled_wait_leaves_nothing_on_what_it_waited_for(self) -> None:
        """A future that runs for long does not gather a callback with each cancelled wait."""
        future = CountingFuture(loop=self.loop)
        for _ in range(3):
            waiting = bridge.deferred_from(bridge.done(future), self.loop)
            await soon(deferLater(reactor, 0.0))
            self.assertEqual(len(future.callbacks), 1)
            waiting.cancel()
            await self.assertFailure(soon(waiting), CancelledError)
        self.assertEqual(future.callbacks, [])

    async def test_nothing_is_kept(self) -> None:
        """A cancelled call that waited for a coroutine is freed without the collector."""

        class Kept:
            """Stands for a connection."""

        gate = Gate()

        async def handler() -> None:
            await gate.wait()

        async def call(kept: Kept) -> None:
            await bridge.awaited(handler())

        kept = Kept()
        left = weakref.ref(kept)
        gc.disable()
        self.addCleanup(gc.enable)
        waiting = bridge.deferred_from(call(kept), self.loop)
        del kept
        await soon(gate.entered)
        waiting.cancel()
        await self.assertFailure(soon(waiting), CancelledError)
        await soon(deferLater(reactor, 0.0))
        self.assertIsNone(left())

    async def test_nothing_is_kept_of_a_failure(self) -> None:
        """So is one that failed."""

        class Broken(Exception):
            """An error, which holds the frames that raised it."""

        gate, kept = Gate(), Broken()
        left = weakref.ref(kept)
        gc.disable()
        self.addCleanup(gc.enable)
        waiting = self.awaited(gate.wait())
        await soon(gate.entered)
        gate.opened.errback(kept)
        del kept, gate
        ended: list[object] = []
        await waiting.addErrback(lambda failure: ended.append(failure.type))
        del waiting
        await soon(deferLater(reactor, 0.0))
        self.assertEqual(ended, [Broken])
        self.assertIsNone(left())


class FollowingTests(TestCase):
    """Tests for `bridge.following` and `bridge.close`."""

    async def test_items_and_then_the_end(self) -> None:
        """An iterator's items come one by one, and END after the last."""

        async def items() -> AsyncIterator[int]:
            yield 1
            yield 2

        iterator = items()
        got = [await bridge.following(iterator) for _ in range(3)]
        self.assertEqual(got, [1, 2, bridge.END])

    async def test_close_runs_finally(self) -> None:
        """Closing an async generator runs its finally block."""
        left = []

        async def items() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                left.append(True)

        iterator = items()
        await bridge.following(iterator)
        await bridge.close(iterator)
        self.assertEqual(left, [True])

    async def test_close_of_a_plain_iterator(self) -> None:
        """Closing an iterator that is no generator does nothing."""

        class Items:
            def __aiter__(self) -> "Items":
                return self

            async def __anext__(self) -> int:
                return 1

        await bridge.close(Items())
