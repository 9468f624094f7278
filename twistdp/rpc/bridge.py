"""Between asyncio and Twisted; nothing else mixes Futures and Deferreds."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from functools import partial
from inspect import iscoroutine
from typing import Any, Generic, TypeVar

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from twistdp.errors import BadSetting

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
    return _Running(loop.create_task(coroutine)).waiting()


_GOES_ON = object()


class _Running(Generic[T]):
    """A task, and the Deferred that waits for it: a new one after each cancellation."""

    def __init__(self, task: asyncio.Task[T]) -> None:
        self._task = task
        task.add_done_callback(self._end)

    def waiting(self) -> Deferred[T]:
        """Fires with what the task comes to."""
        self._waiting: Deferred[Any] = Deferred(self._cancel)
        return self._waiting.addCallback(self._again)

    def _cancel(self, waiting: Deferred[Any]) -> None:
        # A Deferred that its canceller leaves alone fires at once; the task may take its time.
        self._task.cancel()
        waiting.callback(_GOES_ON)

    def _again(self, result: Any) -> Any:
        return self.waiting() if result is _GOES_ON else result

    def _end(self, task: asyncio.Task[T]) -> None:
        waiting = self._waiting
        del self._waiting
        if task.cancelled():
            waiting.errback(CancelledError())
        elif (error := task.exception()) is not None:
            waiting.errback(error)
        else:
            waiting.callback(task.result())


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
