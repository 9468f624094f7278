"""Tests for twistdp.rpc.bridge."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from inspect import CORO_CLOSED, getcoroutinestate
from typing import Any

from twisted.internet import reactor
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from tests.support.clocks import STEPS
from tests.support.helpers import Gate, soon
from twistdp.errors import BadSetting
from twistdp.rpc import bridge


class ReactorTests(TestCase):
    """Tests for `bridge.require_asyncio_reactor` and `bridge.loop_of`."""

    def test_another_reactor_is_refused_with_the_remedy(self) -> None:
        """A reactor without an asyncio loop is refused by name, with what to do instead."""
        for function in (bridge.require_asyncio_reactor, bridge.loop_of, bridge.keep_steady):
            error = self.assertRaises(BadSetting, function, Clock())
            self.assertIn("Clock", str(error))
            self.assertIn("--reactor=asyncio", str(error))

    async def test_the_loop_is_the_one_that_runs(self) -> None:
        """The loop of the installed reactor is the one that coroutines of it run on."""

        async def running() -> asyncio.AbstractEventLoop:
            return asyncio.get_running_loop()

        loop = bridge.loop_of(reactor)
        self.assertIs(await soon(bridge.deferred_from(running(), loop)), loop)


class SteadyTests(TestCase):
    """Tests for `bridge.keep_steady`."""

    def setUp(self) -> None:
        """A reactor whose clock, as Twisted's own, is a wall clock."""
        self.wall = 1.8e9
        self.loop = asyncio.SelectorEventLoop()
        self.addCleanup(self.loop.close)
        self.monotonic = 100.0
        self.loop.time = lambda: self.monotonic  # type: ignore[method-assign]
        self.reactor: Any = AsyncioSelectorReactor(self.loop)
        self.patch(AsyncioSelectorReactor, "seconds", staticmethod(lambda: self.wall))
        self.called: list[str] = []

    def pass_seconds(self, seconds: float) -> None:
        """Time passes for both clocks, and what is due is called."""
        self.wall += seconds
        self.monotonic += seconds
        self.reactor.runUntilCurrent()

    def test_steps_change_nothing(self) -> None:
        """A call comes in its time, however the wall clock is set meanwhile."""
        for step in STEPS:
            bridge.keep_steady(self.reactor)
            self.called.clear()
            self.reactor.callLater(2.0, self.called.append, "two")
            self.pass_seconds(1.0)
            self.wall += step
            self.pass_seconds(0.9)
            self.assertEqual(self.called, [], step)
            self.pass_seconds(0.2)
            self.assertEqual(self.called, ["two"], step)

    def test_what_is_planned_already(self) -> None:
        """A call that was planned before comes in its time too."""
        self.reactor.callLater(2.0, self.called.append, "two")
        self.pass_seconds(1.0)
        bridge.keep_steady(self.reactor)
        self.wall -= 3600.0
        self.pass_seconds(0.9)
        self.assertEqual(self.called, [])
        self.pass_seconds(0.2)
        self.assertEqual(self.called, ["two"])

    def test_a_clock_that_was_replaced_stays(self) -> None:
        """Once is enough, and an application's own clock is its own business."""
        self.reactor.seconds = clock = Clock().seconds
        bridge.keep_steady(self.reactor)
        self.assertEqual(self.reactor.seconds, clock)


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
    """Knows its callbacks."""

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

    timeout = 5.0

    def setUp(self) -> None:
        """Get the loop."""
        self.loop = bridge.loop_of(reactor)

    def awaited(self, result: Any) -> Deferred[Any]:
        """Wait for `result` in an asyncio task."""
        return soon(bridge.deferred_from(bridge.awaited(result, self.loop), self.loop))

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

        waiting = bridge.deferred_from(bridge.awaited(handler(), self.loop), self.loop)
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
        """An error while a cancelled coroutine cleans up is raised: nobody else hears of it."""
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
        """What a Deferred's canceller raises is what comes of it."""

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
        """What goes on for long does not gather a callback with each wait that was given up."""
        future = CountingFuture(loop=self.loop)
        for _ in range(3):
            waiting = bridge.deferred_from(bridge._done(future, self.loop), self.loop)
            await soon(deferLater(reactor, 0.0))
            self.assertEqual(len(future.callbacks), 1)
            waiting.cancel()
            await self.assertFailure(soon(waiting), CancelledError)
        self.assertEqual(future.callbacks, [])

    async def test_nothing_is_kept(self) -> None:
        """What waits for a coroutine is freed when it was cancelled, without a collector."""

        class Kept:
            """Stands for a connection."""

        gate = Gate()

        async def handler() -> None:
            await gate.wait()

        async def call(kept: Kept) -> None:
            await bridge.awaited(handler(), self.loop)

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
        """And when it has failed."""

        class Broken(Exception):
            """Holds what it has been raised in."""

        gate, kept = Gate(), Broken()
        left = weakref.ref(kept)
        gc.disable()
        self.addCleanup(gc.enable)
        waiting = self.awaited(gate.wait())
        await soon(gate.entered)
        gate.opened.errback(kept)
        del kept, gate
        ended: list[type[BaseException]] = []
        await waiting.addErrback(lambda failure: ended.append(failure.type))
        del waiting
        await soon(deferLater(reactor, 0.0))
        self.assertEqual(ended, [Broken])
        self.assertIsNone(left())


class DeferredOfTests(TestCase):
    """Tests for `bridge.deferred_of`."""

    timeout = 5.0

    def setUp(self) -> None:
        """Get the loop."""
        self.loop = bridge.loop_of(reactor)

    def of(self, result: Any) -> Deferred[Any]:
        """What foreign code returned, as a Deferred."""
        return soon(bridge.deferred_of(result, reactor))

    async def test_values(self) -> None:
        """What cannot be awaited is its own outcome, at once."""
        for value in (None, 7, [1], iter([1])):
            self.assertIs(self.successResultOf(self.of(value)), value)

    async def test_deferred(self) -> None:
        """A Deferred gives its value, which it keeps for others; its error goes to one alone."""
        deferred: Deferred[str] = Deferred()
        waiting = [bridge.deferred_of(deferred, reactor) for _ in range(2)]
        self.assertNoResult(waiting[0])
        deferred.callback("value")
        for each in waiting:
            self.assertEqual(self.successResultOf(each), "value")
        failed: Deferred[str] = Deferred()
        call = bridge.deferred_of(failed, reactor)
        failed.errback(ZeroDivisionError())
        self.failureResultOf(call, ZeroDivisionError)

    async def test_deferred_whose_canceller_raises(self) -> None:
        """What it raises is the outcome, and not raised at whoever cancels."""

        def refuse(_: object) -> None:
            raise ZeroDivisionError

        call = bridge.deferred_of(Deferred(refuse), reactor)
        call.cancel()
        self.failureResultOf(call, ZeroDivisionError)

    async def test_everything_that_can_be_awaited(self) -> None:
        """Coroutines, Tasks, Futures of both kinds and objects with __await__ give their value."""

        async def native() -> str:
            await asyncio.sleep(0)
            return "value"

        class Awaitable:
            def __await__(self) -> Any:
                return native().__await__()

        future = self.loop.create_future()
        self.loop.call_soon(future.set_result, "value")
        done = self.loop.create_future()
        done.set_result("value")
        with ThreadPoolExecutor(1) as pool:
            for result in (
                native(),
                self.loop.create_task(native()),
                future,
                done,
                pool.submit(lambda: "value"),
                Awaitable(),
            ):
                self.assertEqual(await self.of(result), "value")

    async def test_both_kinds_by_turns(self) -> None:
        """One coroutine awaits Deferreds and what asyncio has, also in coroutines that it calls."""

        async def inner() -> str:
            await deferLater(reactor, 0.0)
            async with asyncio.timeout(5.0):
                await asyncio.sleep(0.0)
            return "inner"

        async def outer() -> list[Any]:
            assert asyncio.current_task() is not None
            found = [await inner(), await self.loop.run_in_executor(None, lambda: "thread")]
            found += [await succeed("fired"), await deferLater(reactor, 0.0, lambda: "later")]
            with self.assertRaises(KeyError):
                await fail(KeyError("at once"))
            with self.assertRaises(KeyError):
                await deferLater(reactor, 0.0).addCallback(lambda _: {}["later"])
            process = await asyncio.create_subprocess_exec("true")
            return [*found, await process.wait()]

        self.assertEqual(await self.of(outer()), ["inner", "thread", "fired", "later", 0])

    async def test_errors(self) -> None:
        """What is raised is the failure, with its stack."""

        async def broken() -> None:
            await asyncio.sleep(0)
            raise KeyError("missing")

        failures: list[Any] = []
        await self.of(broken()).addErrback(failures.append)
        self.assertTrue(failures[0].check(KeyError))
        self.assertIn("in broken", failures[0].getTraceback())

    async def test_what_ends_processes(self) -> None:
        """SystemExit and KeyboardInterrupt fail the one coroutine and leave the loop running."""
        for kind in (SystemExit, KeyboardInterrupt):

            async def leave(kind: type[BaseException] = kind) -> None:
                await asyncio.sleep(0)
                raise kind

            await self.assertFailure(self.of(leave()), kind)

    async def test_cancelled_at_a_deferred(self) -> None:
        """There the Deferred is cancelled, and the coroutine gets Twisted's CancelledError."""
        cancelled: list[Any] = []
        caught: list[type] = []
        entered: Deferred[None] = Deferred()

        async def waits() -> None:
            entered.callback(None)
            try:
                await Deferred(cancelled.append)
            except BaseException as error:
                caught.append(type(error))
                await asyncio.sleep(0)
                await deferLater(reactor, 0.0)
                raise

        running = self.of(waits())
        await entered
        running.cancel()
        await self.assertFailure(running, CancelledError)
        self.assertEqual((len(cancelled), caught), (1, [CancelledError]))

    async def test_cancelled_at_a_future(self) -> None:
        """There the coroutine gets asyncio's CancelledError; outside it is Twisted's."""
        future = self.loop.create_future()
        caught: list[type] = []
        entered: Deferred[None] = Deferred()

        async def waits() -> None:
            entered.callback(None)
            try:
                await future
            except BaseException as error:
                caught.append(type(error))
                await deferLater(reactor, 0.0)
                raise

        running = self.of(waits())
        await entered
        running.cancel()
        await self.assertFailure(running, CancelledError)
        self.assertTrue(future.cancelled())
        self.assertEqual(caught, [asyncio.CancelledError])

    async def test_cancelled_task_and_future(self) -> None:
        """A Task or Future that was returned is cancelled with its Deferred."""
        for future in (
            self.loop.create_future(),
            self.loop.create_task(asyncio.sleep(60)),
        ):
            running = self.of(future)
            running.cancel()
            await self.assertFailure(running, CancelledError)
            self.assertTrue(future.cancelled())

    async def test_deferred_that_has_an_answer_to_its_cancellation(self) -> None:
        """A coroutine goes on with what a cancelled Deferred fires with."""
        entered: Deferred[None] = Deferred()

        async def waits() -> object:
            entered.callback(None)
            return await Deferred(lambda deferred: deferred.callback("in spite of it"))

        running = self.of(waits())
        await entered
        running.cancel()
        self.assertEqual(await running, "in spite of it")

    async def test_canceller_that_raises(self) -> None:
        """What a canceller raises is raised where the Deferred is awaited."""

        def canceller(_: object) -> None:
            raise KeyError("missing")

        async def waits() -> object:
            async with asyncio.timeout(0.01):
                return await Deferred(canceller)

        await self.assertFailure(self.of(waits()), KeyError)

    async def test_time_limit_of_asyncio_around_a_deferred(self) -> None:
        """asyncio's time limit cancels the Deferred, and raises what it always raises."""
        cancelled: list[Any] = []

        async def waits() -> str:
            try:
                async with asyncio.timeout(0.01):
                    await Deferred(cancelled.append)
            except TimeoutError:
                return "in time"
            return "never"

        self.assertEqual(await self.of(waits()), "in time")
        self.assertEqual(len(cancelled), 1)

    async def test_cancelled_before_it_has_begun(self) -> None:
        """A coroutine that never ran is no coroutine that somebody forgot to await."""

        async def never() -> None:
            raise AssertionError("it has run")

        coroutine = never()
        running = self.of(coroutine)
        running.cancel()
        await self.assertFailure(running, CancelledError)
        self.assertEqual(getcoroutinestate(coroutine), CORO_CLOSED)

    async def test_another_loop(self) -> None:
        """A Future of another loop would never wake this one: it is refused."""
        other = asyncio.new_event_loop()
        self.addCleanup(other.close)
        error = self.assertRaises(RuntimeError, bridge.deferred_of, other.create_future(), reactor)
        self.assertIn("another loop", str(error))

    async def test_nothing_is_kept(self) -> None:
        """What a coroutine holds is freed when it has been cancelled, without a collector."""

        class Kept:
            """Stands for hardware."""

        entered: Deferred[None] = Deferred()

        async def waits(kept: Kept) -> None:
            entered.callback(None)
            await Deferred()

        kept = Kept()
        left = weakref.ref(kept)
        gc.disable()
        self.addCleanup(gc.enable)
        running = self.of(waits(kept))
        del kept
        await entered
        running.cancel()
        await self.assertFailure(running, CancelledError)
        await soon(deferLater(reactor, 0.0))
        self.assertIsNone(left())


class CalledTests(TestCase):
    """Tests for `bridge.called`."""

    async def test_at_once(self) -> None:
        """Where the loop runs, the call is made at once; what it raises is a failure."""
        await deferLater(reactor, 0.0)
        self.assertEqual(self.successResultOf(bridge.called(lambda: 7, reactor)), 7)
        for kind in (KeyError, SystemExit):

            def broken(kind: type[BaseException] = kind) -> None:
                raise kind

            self.failureResultOf(bridge.called(broken, reactor), kind)

    def test_before_the_loop_runs(self) -> None:
        """Before that it is made when the loop runs, so that it may make tasks of its own."""
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        early = AsyncioSelectorReactor(loop)
        self.addCleanup(early.disconnectAll)
        done = bridge.called(lambda: asyncio.create_task(asyncio.sleep(0, "value")), early)
        self.assertNoResult(done)
        loop.run_until_complete(asyncio.sleep(0.01))
        self.assertEqual(self.successResultOf(done), "value")


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
