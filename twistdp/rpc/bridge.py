"""Between asyncio, which gRPC runs on, and Twisted: Futures become Deferreds, and the reverse."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from functools import partial
from inspect import iscoroutine
from typing import Any, TypeVar

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import CancelledError, Deferred
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


def deferred_from(
    coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop
) -> Deferred[T]:
    """Run an asyncio coroutine; cancelling the Deferred cancels it, and fires when it has ended."""
    # Deferred.fromFuture() leaves a cycle of an error and a frame behind, which would keep what
    # the frames of a failed call hold, such as its connection, until the collector runs.
    return Running().watch(loop.create_task(coroutine))


class Running:
    """A task or future, and the Deferred that waits for it."""

    def __init__(self) -> None:
        self.cancelled = False
        """Whether it was cancelled by its Deferred, and not by asyncio."""

    def watch(self, future: asyncio.Future[Any]) -> Deferred[Any]:
        """Fires with the outcome of `future`."""
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


async def awaited(result: Any) -> Any:
    """Wait in an asyncio task for the result of Twisted code: a value, Deferred or coroutine.

    When the task is cancelled, so is the result, and its clean-up is waited for.  An error in
    the clean-up is raised in place of the cancellation.
    """
    if iscoroutine(result):
        result = Deferred.fromCoroutine(result)
    if not isinstance(result, Deferred):
        return result
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    result.addBoth(partial(_resolve, future))
    cancelled: asyncio.CancelledError | None = None
    try:
        while not future.done():
            try:
                await done(future)
            except asyncio.CancelledError as error:
                cancelled = error
                # Not from here: Twisted's frames of a cancellation hold each other and the caller.
                loop.call_soon(cancel, result, future)
        if cancelled and isinstance(future.exception(), (CancelledError, type(None))):
            raise cancelled
        return future.result()
    finally:
        del future, cancelled  # the tracebacks of their errors have this frame


def cancel(result: Deferred[Any], future: asyncio.Future[Any]) -> None:
    """Cancel a Deferred; what its canceller raises becomes the outcome, in `future`."""
    try:
        result.cancel()
    except Exception as error:
        if not future.done():
            future.set_exception(error)


async def done(future: asyncio.Future[Any]) -> None:
    """Wait until `future` is done; cancelling the wait does not cancel it."""
    # On Python 3.14 shield() logs how the future ends after the cancellation, and wait() leaves a
    # cycle that holds all its callers.
    wake: asyncio.Future[None] = future.get_loop().create_future()

    def fire(_: object) -> None:
        if not wake.done():
            wake.set_result(None)

    future.add_done_callback(fire)
    try:
        await wake
    finally:
        future.remove_done_callback(fire)


def _resolve(future: asyncio.Future[Any], outcome: Any) -> None:
    """Give a future the outcome of a Deferred."""
    if future.done():
        return
    if isinstance(outcome, Failure):
        assert outcome.value is not None
        error = outcome.value
        # A Future refuses StopIteration, and the loop ends with what is no Exception.
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
