"""Between asyncio and Twisted; nothing else mixes Futures and Deferreds."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from functools import partial
from inspect import iscoroutine
from typing import Any, TypeVar

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


def deferred_from(
    coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop
) -> Deferred[T]:
    """Run an asyncio coroutine; cancelling the Deferred cancels it, and fires when it has ended."""
    # Deferred.fromFuture() does the same, but leaves a cycle of an error and a frame behind: what
    # the frames of a failed call hold, its connection for one, would wait for the collector.
    task = loop.create_task(coroutine)
    ended: Deferred[T] = Deferred()

    def end(task: asyncio.Task[T]) -> None:
        if not deferred.called:
            deferred.callback(None)
        if task.cancelled():
            ended.errback(CancelledError())
        elif (error := task.exception()) is not None:
            ended.errback(error)
        else:
            ended.callback(task.result())

    def cancel(deferred: Deferred[Any]) -> None:
        task.cancel()
        deferred.callback(None)

    deferred: Deferred[None] = Deferred(cancel)
    task.add_done_callback(end)
    return deferred.addCallback(lambda _: ended)


async def awaited(result: Any, loop: asyncio.AbstractEventLoop) -> Any:
    """Wait in an asyncio task for what Twisted code returned: a value, Deferred or coroutine.

    When the task is cancelled, so is what it waits for, and its clean-up is waited for.
    """
    if iscoroutine(result):
        result = Deferred.fromCoroutine(result)
    if not isinstance(result, Deferred):
        return result
    future: asyncio.Future[Any] = loop.create_future()
    result.addBoth(partial(_resolve, future))
    try:
        # Not shield(), which since Python 3.14 logs how the future ends after a cancellation.
        if not future.done():
            await asyncio.wait([future])
        return future.result()
    except asyncio.CancelledError:
        result.cancel()
        await asyncio.wait([future])
        error = future.exception()  # retrieved: the caller is gone, nobody else will
        if error is not None:
            error.__traceback__ = None  # its frames lead here, and to all that is below
        raise
    finally:
        del future  # its error's traceback has this frame


def _resolve(future: asyncio.Future[Any], outcome: Any) -> None:
    """Give a future what a Deferred came to."""
    if future.cancelled():
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
