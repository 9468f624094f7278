"""Tests for `twistdp.rpc.foreign`."""

import asyncio
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from inspect import CORO_CLOSED, getcoroutinestate
from typing import Any

from twisted.internet import reactor
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.support.helpers import soon
from twistdp.rpc import bridge
from twistdp.rpc.foreign import called, deferred_of


class DeferredOfTests(TestCase):
    """Tests for `deferred_of`."""

    def setUp(self) -> None:
        """Get the loop."""
        self.loop = bridge.loop_of(reactor)

    def of(self, result: Any) -> Deferred[Any]:
        """The result of foreign code as a Deferred."""
        return soon(deferred_of(result, reactor))

    async def test_values(self) -> None:
        """A value that cannot be awaited is its own outcome, at once."""
        for value in (None, 7, [1], iter([1])):
            self.assertIs(self.successResultOf(self.of(value)), value)

    async def test_deferred(self) -> None:
        """A Deferred gives its value and keeps it for others; one waiter gets its error."""
        deferred: Deferred[str] = Deferred()
        waiting = [deferred_of(deferred, reactor) for _ in range(2)]
        self.assertNoResult(waiting[0])
        deferred.callback("value")
        for each in waiting:
            self.assertEqual(self.successResultOf(each), "value")
        failed: Deferred[str] = Deferred()
        call = deferred_of(failed, reactor)
        failed.errback(ZeroDivisionError())
        self.failureResultOf(call, ZeroDivisionError)

    async def test_deferred_whose_canceller_raises(self) -> None:
        """The canceller's error is the outcome, and is not raised where it is cancelled."""

        def refuse(_: object) -> None:
            raise ZeroDivisionError

        call = deferred_of(Deferred(refuse), reactor)
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
        """A coroutine, and those it calls, await Deferreds and asyncio's awaitables by turns."""

        async def inner() -> str:
            await deferLater(reactor, 0.0)
            async with asyncio.timeout(60.0):
                await asyncio.sleep(0.0)
            return "inner"

        async def outer() -> list[Any]:
            assert asyncio.current_task() is not None
            found = [await inner(), await self.loop.run_in_executor(None, lambda: "thread")]
            found += [await succeed("fired"), await deferLater(reactor, 0.0, lambda: "later")]
            with self.assertRaises(KeyError):
                await fail(KeyError("at once"))
            with self.assertRaises(KeyError):
                await deferLater(reactor, 0.0).addCallback(lambda _: fail(KeyError("later")))
            process = await asyncio.create_subprocess_exec("true")
            return [*found, await process.wait()]

        self.assertEqual(await self.of(outer()), ["inner", "thread", "fired", "later", 0])

    async def test_errors(self) -> None:
        """An exception is the failure, with its stack."""

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
        """A Deferred that it awaits is cancelled; the coroutine gets Twisted's CancelledError."""
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
        """At a Future the coroutine gets asyncio's CancelledError; the caller gets Twisted's."""
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
        """A coroutine goes on with the value of a cancelled Deferred."""
        entered: Deferred[None] = Deferred()

        async def waits() -> object:
            entered.callback(None)
            return await Deferred(lambda deferred: deferred.callback("in spite of it"))

        running = self.of(waits())
        await entered
        running.cancel()
        self.assertEqual(await running, "in spite of it")

    async def test_canceller_that_raises(self) -> None:
        """A canceller's error is raised where the Deferred is awaited."""

        def canceller(_: object) -> None:
            raise KeyError("missing")

        async def waits() -> object:
            async with asyncio.timeout(0.01):
                return await Deferred(canceller)

        await self.assertFailure(self.of(waits()), KeyError)

    async def test_time_limit_of_asyncio_around_a_deferred(self) -> None:
        """asyncio's time limit cancels the Deferred, and raises TimeoutError as usual."""
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
        """Python does not warn that a coroutine cancelled before it ran was never awaited."""

        async def never() -> None:
            raise AssertionError("it has run")

        coroutine = never()
        running = self.of(coroutine)
        running.cancel()
        await self.assertFailure(running, CancelledError)
        self.assertEqual(getcoroutinestate(coroutine), CORO_CLOSED)

    async def test_another_loop(self) -> None:
        """A Future of another loop is refused: it would never wake this one."""
        other = asyncio.new_event_loop()
        self.addCleanup(other.close)
        error = self.assertRaises(RuntimeError, deferred_of, other.create_future(), reactor)
        self.assertIn("another loop", str(error))

    async def test_nothing_is_kept(self) -> None:
        """A cancelled coroutine frees its variables without the collector."""

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
    """Tests for `called`."""

    async def test_at_once(self) -> None:
        """If the loop runs, the call is made at once; its exception is a failure."""
        await deferLater(reactor, 0.0)
        self.assertEqual(self.successResultOf(called(lambda: 7, reactor)), 7)
        for kind in (KeyError, SystemExit):

            def broken(kind: type[BaseException] = kind) -> None:
                raise kind

            self.failureResultOf(called(broken, reactor), kind)

    def test_before_the_loop_runs(self) -> None:
        """If not, the call waits until the loop runs, so that it can make tasks."""
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        early = AsyncioSelectorReactor(loop)
        self.addCleanup(early.disconnectAll)
        done = called(lambda: asyncio.create_task(asyncio.sleep(0, "value")), early)
        self.assertNoResult(done)
        loop.run_until_complete(asyncio.sleep(0.01))
        self.assertEqual(self.successResultOf(done), "value")
