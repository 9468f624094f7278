"""The results of foreign code, which may be anything that Python can await, as Deferreds."""

import asyncio
import concurrent.futures
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from inspect import isawaitable
from typing import Any

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure

from twistdp.rpc import bridge
from twistdp.tools import Waiting


def deferred_of(result: Any, reactor: Any) -> Deferred[Any]:
    """The `result` of foreign code as a Deferred.

    It is a value, a Deferred, a coroutine, a Task or Future of asyncio or of `concurrent.futures`,
    or an object with ``__await__``.  A coroutine runs in a task of the reactor's loop and may await
    Deferreds and asyncio's awaitables by turns.  If it is cancelled while it awaits a Deferred,
    that one is cancelled, and the coroutine gets its outcome, Twisted's CancelledError; anywhere
    else it gets asyncio's.  The returned Deferred fails with Twisted's for either.

    Cancelling never raises: an error of a Deferred's own canceller becomes the outcome.

    On a reactor without a loop coroutines can await Deferreds alone.
    """
    if isinstance(result, Deferred):
        return _Foreign(result).watch()
    if isinstance(result, concurrent.futures.Future):
        result = asyncio.wrap_future(result, loop=bridge.loop_of(reactor))
    if asyncio.isfuture(result):
        if result.get_loop() is not bridge.loop_of(reactor):
            raise RuntimeError(f"{type(result).__name__} of another loop than the reactor's")
        return bridge.Running().watch(result)
    if not isawaitable(result):
        return succeed(result)
    coroutine = result if isinstance(result, Coroutine) else _awaiting(result)
    if not isinstance(reactor, AsyncioSelectorReactor):
        return Deferred.fromCoroutine(coroutine)
    loop, running = bridge.loop_of(reactor), bridge.Running()
    task = loop.create_task(_awaiting(_bilingual(coroutine, running)))
    task.add_done_callback(lambda _: coroutine.close())  # cancelled before it has begun
    return running.watch(task)


def called(function: Callable[[], object], reactor: Any) -> Deferred[Any]:
    """Call foreign code in the reactor's thread; see `deferred_of` for what it may return.

    It is called at once, or as soon as the reactor's loop runs: before that it could make no Task.
    Whatever it raises is a failure, SystemExit and its like too.
    """
    if isinstance(reactor, AsyncioSelectorReactor) and not bridge.loop_of(reactor).is_running():

        async def later() -> object:
            return await deferred_of(function(), reactor)

        return deferred_of(later(), reactor)
    try:
        return deferred_of(function(), reactor)
    except BaseException:
        return fail(Failure())


async def _awaiting(result: Awaitable[Any]) -> Any:
    return await result


class _Foreign:
    """A Deferred of foreign code, and one that waits for it."""

    def __init__(self, deferred: Deferred[Any]) -> None:
        self._deferred = deferred
        self._waiting = Waiting(self._cancel)

    def watch(self) -> Deferred[Any]:
        """Fires with the outcome of the foreign one, which keeps a value for others."""
        waiting = self._waiting.deferred()
        self._deferred.addBoth(self._end)
        return waiting

    def _cancel(self) -> None:
        try:
            self._deferred.cancel()
        except Exception:  # of its canceller, and then it may never fire
            self._waiting.end(Failure())

    def _end(self, outcome: Any) -> Any:
        self._waiting.end(outcome)
        return None if isinstance(outcome, Failure) else outcome


@types.coroutine
def _bilingual(
    coroutine: Coroutine[Any, Any, Any], running: bridge.Running
) -> Generator[Any, Any, Any]:
    """Run in a task a coroutine that awaits Deferreds too."""
    # Errors are kept in a list for as long as it takes: their tracebacks have these frames.
    thrown: list[BaseException] = []
    while True:
        try:
            awaited = coroutine.throw(thrown.pop()) if thrown else coroutine.send(None)
        except StopIteration as end:
            return end.value
        except (SystemExit, KeyboardInterrupt):
            return Failure()  # raised here, it would end the loop
        try:
            if isinstance(awaited, Deferred):
                yield from _fired(awaited, running, thrown)
            else:
                yield awaited
        except BaseException as error:
            thrown.append(error)


def _fired(
    deferred: Deferred[Any],
    running: bridge.Running,
    thrown: list[BaseException],
) -> Generator[Any, Any, None]:
    """Wait in a task until a Deferred has a value, which stays there; its error is put in `thrown`.

    It is cancelled with the task.  When asyncio cancels, as ``asyncio.timeout`` does, asyncio's
    CancelledError takes the place of Twisted's.
    """
    loop = asyncio.get_running_loop()
    fired: asyncio.Future[None] = loop.create_future()
    asked: list[asyncio.CancelledError] = []  # by asyncio, to end the wait

    def fire(outcome: Any) -> Any:
        if fired.done():
            return outcome  # the canceller has raised, and that was it
        fired.set_result(None)
        if not isinstance(outcome, Failure):
            return outcome
        assert outcome.value is not None
        if asked and outcome.check(CancelledError):
            thrown.append(asked[-1])
        else:
            thrown.append(outcome.value.with_traceback(outcome.tb))
        asked.clear()
        return None

    deferred.addBoth(fire)
    while not fired.done():
        try:
            yield from bridge.done(fired).__await__()
        except asyncio.CancelledError as error:
            if not running.cancelled:
                asked.append(error)
            # Not from here: Twisted's frames of a cancellation hold each other and the caller.
            loop.call_soon(bridge.cancel, deferred, fired)
    fired.result()  # raises an error of the canceller
