"""Between asyncio and Twisted; nothing else mixes Futures and Deferreds."""

import asyncio
import concurrent.futures
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from functools import partial
from inspect import isawaitable, iscoroutine
from typing import Any, TypeVar

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure

from twistdp.errors import BadSetting
from twistdp.tools import Waiting

T = TypeVar("T")


def require_asyncio_reactor(reactor: object) -> None:
    """Raise `BadSetting` if `reactor` does not run on an asyncio loop, which grpc needs."""
    if not isinstance(reactor, AsyncioSelectorReactor):
        raise BadSetting(
            f"reactor {type(reactor).__name__}: gRPC needs the asyncio reactor; leave --reactor "
            "out or give --reactor=asyncio"
        )


def loop_of(reactor: object) -> asyncio.AbstractEventLoop:
    """The loop that `reactor` runs on; raises `BadSetting` for a reactor without one."""
    require_asyncio_reactor(reactor)
    assert isinstance(reactor, AsyncioSelectorReactor)
    # asyncio.get_event_loop() is another loop when the reactor was given one explicitly.
    return reactor._asyncioEventloop


def keep_steady(reactor: Any) -> None:
    """Have the clock of `reactor` go on from where it is, whatever becomes of the wall clock.

    Twisted's own is the wall clock: set back by an hour, it makes all that is due in a second
    come an hour late, and set forward, it makes all time-outs run out at once.  A reactor whose
    clock has been replaced already is left as it is.  Raises `BadSetting` for a reactor without
    an asyncio loop, whose clock is the monotonic one.
    """
    loop = loop_of(reactor)
    if "seconds" not in vars(reactor):
        # Continuous, since calls may be planned already.
        ahead = reactor.seconds() - loop.time()
        reactor.seconds = lambda: loop.time() + ahead


def deferred_from(
    coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop
) -> Deferred[T]:
    """Run an asyncio coroutine; cancelling the Deferred cancels it, and fires when it has ended."""
    # Deferred.fromFuture() does the same, but leaves a cycle of an error and a frame behind: what
    # the frames of a failed call hold, its connection for one, would wait for the collector.
    return _Running().watch(loop.create_task(coroutine))


def deferred_of(result: Any, reactor: Any) -> Deferred[Any]:
    """What foreign code has returned, as a Deferred: a value, or whatever Python can await.

    That is a Deferred, a coroutine, a Task or Future of asyncio or of `concurrent.futures`, or an
    object with ``__await__``.  A coroutine runs in a task of the reactor's loop and may await
    Deferreds and asyncio's awaitables by turns.  Where it is cancelled while it awaits a Deferred,
    that one is cancelled, and its outcome is what the coroutine gets there: Twisted's
    CancelledError; anywhere else it gets asyncio's.  The outcome of either is Twisted's.

    To cancel it never raises: what a Deferred's own canceller raises is its outcome.

    On a reactor without a loop coroutines can await Deferreds alone.
    """
    if isinstance(result, Deferred):
        return _Foreign(result).watch()
    if isinstance(result, concurrent.futures.Future):
        result = asyncio.wrap_future(result, loop=loop_of(reactor))
    if asyncio.isfuture(result):
        if result.get_loop() is not loop_of(reactor):
            raise RuntimeError(f"{type(result).__name__} of another loop than the reactor's")
        return _Running().watch(result)
    if not isawaitable(result):
        return succeed(result)
    coroutine = result if isinstance(result, Coroutine) else _awaiting(result)
    if not isinstance(reactor, AsyncioSelectorReactor):
        return Deferred.fromCoroutine(coroutine)
    loop, running = loop_of(reactor), _Running()
    task = loop.create_task(_awaiting(_bilingual(coroutine, running, loop)))
    task.add_done_callback(lambda _: coroutine.close())  # cancelled before it has begun
    return running.watch(task)


def called(function: Callable[[], object], reactor: Any) -> Deferred[Any]:
    """Call foreign code in the reactor's thread; see `deferred_of` for what it may return.

    At once, or as soon as the reactor's loop runs: before that it could make no Task.  What it
    raises, also SystemExit and its like, is a failure.
    """
    if isinstance(reactor, AsyncioSelectorReactor) and not loop_of(reactor).is_running():

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
        """Fires with what the foreign one comes to, which keeps a value for others."""
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


class _Running:
    """A task or future, and the Deferred that waits for it."""

    def __init__(self) -> None:
        self.cancelled = False
        """Whether it was cancelled by its Deferred, and not by asyncio."""

    def watch(self, future: asyncio.Future[Any]) -> Deferred[Any]:
        """Fires with what the future comes to."""
        self._future = future
        self._waiting = Waiting(self._cancel)
        future.add_done_callback(self._end)
        return self._waiting.deferred()

    def _cancel(self) -> None:
        self.cancelled = True
        self._future.cancel()

    def _end(self, future: asyncio.Future[Any]) -> None:
        waiting = self._waiting
        del self._waiting, self._future
        if future.cancelled():
            waiting.end(Failure(CancelledError()))
        elif (error := future.exception()) is not None:
            waiting.end(Failure(error))
        else:
            waiting.end(future.result())


@types.coroutine
def _bilingual(
    coroutine: Coroutine[Any, Any, Any], running: _Running, loop: asyncio.AbstractEventLoop
) -> Generator[Any, Any, Any]:
    """Run in a task what awaits Deferreds too."""
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
                yield from _fired(awaited, running, loop, thrown)
            else:
                yield awaited
        except BaseException as error:
            thrown.append(error)


def _fired(
    deferred: Deferred[Any],
    running: _Running,
    loop: asyncio.AbstractEventLoop,
    thrown: list[BaseException],
) -> Generator[Any, Any, None]:
    """Wait in a task until a Deferred has a value, which stays there; its error is put in `thrown`.

    It is cancelled with the task.  When it is asyncio that cancels, such as ``asyncio.timeout``,
    its CancelledError takes the place of Twisted's.
    """
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
            yield from _done(fired, loop).__await__()
        except asyncio.CancelledError as error:
            if not running.cancelled:
                asked.append(error)
            # Not from here: Twisted's frames of a cancellation hold each other and who called.
            loop.call_soon(_cancel, deferred, fired)
    fired.result()  # raises what a canceller has raised


async def awaited(result: Any, loop: asyncio.AbstractEventLoop) -> Any:
    """Wait in an asyncio task for what Twisted code returned: a value, Deferred or coroutine.

    When the task is cancelled, so is what it waits for, and its clean-up is waited for; an error in
    that is raised in place of the cancellation.
    """
    if iscoroutine(result):
        result = Deferred.fromCoroutine(result)
    if not isinstance(result, Deferred):
        return result
    future: asyncio.Future[Any] = loop.create_future()
    result.addBoth(partial(_resolve, future))
    try:
        if not future.done():
            await _done(future, loop)
        return future.result()
    except asyncio.CancelledError:
        # Not from here: Twisted's frames of a cancellation hold each other and what called them.
        loop.call_soon(_cancel, result, future)
        while not future.done():
            try:
                await _done(future, loop)
            except asyncio.CancelledError:
                loop.call_soon(_cancel, result, future)
        if isinstance(future.exception(), (CancelledError, type(None))):
            raise
        return future.result()  # raises what the clean-up failed with, which nobody else hears of
    finally:
        del future  # its error's traceback has this frame


def _cancel(result: Deferred[Any], future: asyncio.Future[Any]) -> None:
    """Cancel a Deferred; what its canceller raises is what comes of it."""
    try:
        result.cancel()
    except Exception as error:
        if not future.done():
            future.set_exception(error)


async def _done(future: asyncio.Future[Any], loop: asyncio.AbstractEventLoop) -> None:
    """Wait until a future is done; being cancelled leaves it alone."""
    # On Python 3.14 shield() logs how the future ends after the cancellation, and wait() leaves a
    # cycle that holds all its callers.
    wake: asyncio.Future[None] = loop.create_future()

    def fire(_: object) -> None:
        if not wake.done():
            wake.set_result(None)

    future.add_done_callback(fire)
    try:
        await wake
    finally:
        future.remove_done_callback(fire)


def _resolve(future: asyncio.Future[Any], outcome: Any) -> None:
    """Give a future what a Deferred came to."""
    if future.done():
        return
    if isinstance(outcome, Failure):
        assert outcome.value is not None
        error = outcome.value
        # A Future refuses the one, and the loop ends with the others.
        if isinstance(error, StopIteration) or not isinstance(error, Exception):
            error = RuntimeError(f"a handler raised {type(error).__name__}")
            error.__cause__ = outcome.value
        future.set_exception(error)
    else:
        future.set_result(outcome)


END = object()
"""What `following` returns after the last item."""


async def following(items: AsyncIterator[T]) -> T | object:
    """The next item of an iterator that Twisted code wrote, or `END`."""
    return await anext(items, END)


async def close(items: AsyncIterator[Any]) -> None:
    """Let an async generator run its ``finally`` blocks; does nothing for other iterators."""
    aclose = getattr(items, "aclose", None)
    if aclose is not None:
        await aclose()
