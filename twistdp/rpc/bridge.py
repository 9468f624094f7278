"""Between asyncio and Twisted; nothing else mixes Futures and Deferreds."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from inspect import iscoroutine
from typing import Any, NoReturn, TypeVar

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
    """Run an asyncio coroutine; cancelling the Deferred cancels it, in Twisted's words."""

    def translate(failure: Failure) -> NoReturn:
        failure.trap(asyncio.CancelledError)
        raise CancelledError() from failure.value

    deferred: Deferred[T] = Deferred.fromFuture(loop.create_task(coroutine))
    return deferred.addErrback(translate)


async def awaited(result: Any, loop: asyncio.AbstractEventLoop) -> Any:
    """Wait in an asyncio task for what Twisted code returned: a value, Deferred or coroutine.

    When the task is cancelled, so is what it waits for, and its clean-up is waited for.
    """
    if iscoroutine(result):
        result = Deferred.fromCoroutine(result)
    if not isinstance(result, Deferred):
        return result
    future: asyncio.Future[Any] = loop.create_future()

    def resolve(outcome: Any) -> None:
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

    result.addBoth(resolve)
    try:
        # Not shield(), which since Python 3.14 logs how the future ends after a cancellation.
        if not future.done():
            await asyncio.wait([future])
    except asyncio.CancelledError:
        result.cancel()
        await asyncio.wait([future])
        future.exception()  # retrieved: the caller is gone, nobody else will
        raise
    return future.result()


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
