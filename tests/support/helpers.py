"""A directory for a test, and ways to wait for what must happen."""

import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.application.service import IService
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, LoopingCall
from twisted.trial.unittest import SynchronousTestCase

if TYPE_CHECKING:
    from twistdp.testing.process import ChildProcess

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)

PATIENCE = 100.0
"""Seconds; what must come does so sooner, however busy the machine is."""


def temporary_directory(case: SynchronousTestCase) -> str:
    """A directory with a path short enough for sockets, removed after the test."""
    path = tempfile.mkdtemp(prefix="tdp-")
    case.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


def replace(path: str, text: str) -> None:
    """Replace a file, as editors do."""
    with open(f"{path}.new", "w", encoding="ascii") as file:
        file.write(text)
    os.replace(f"{path}.new", path)


def soon(deferred: Deferred[T]) -> Deferred[T]:
    """The same Deferred, which fails the test if it never fires."""
    return deferred.addTimeout(PATIENCE, reactor)


async def quickly(act: Callable[[], Awaitable[object]], seconds: float, tries: int = 10) -> None:
    """Do something until it takes less than so many seconds, for this machine may be busy.

    It fails the test if it is as slow each time.
    """
    for _ in range(tries):
        begin = reactor.seconds()
        await act()
        if reactor.seconds() - begin < seconds:
            return
    raise AssertionError(f"it took {seconds} s or more each time")


def slowness() -> float:
    """How many times longer than its CPU time this process takes now: 1 where it runs alone."""
    begin, end = time.monotonic(), time.process_time() + 0.05
    while time.process_time() < end:
        pass
    return max(1.0, (time.monotonic() - begin) / 0.05)


def until(condition: Callable[[], object], timeout: float = PATIENCE) -> Deferred[None]:
    """Fires when `condition` is true, which is looked at 200 times a second."""
    done: Deferred[None] = Deferred()

    def look() -> None:
        if condition() and not done.called:
            done.callback(None)

    def stop(result: T) -> T:
        call.stop()
        return result

    call = LoopingCall(look)
    call.start(0.005)
    return done.addTimeout(timeout, reactor).addBoth(stop)


async def failure_of(waiting: Awaitable[Any], kind: type[E]) -> E:
    """The error of this kind that is raised; anything else fails the test."""
    try:
        result = await waiting
    except kind as error:
        return error
    raise AssertionError(f"{result!r} instead of {kind.__name__}")


def always(value: T) -> Callable[[object], T]:
    """A callback that returns this, whatever it is called with."""
    return lambda _: value


def fire(deferred: Deferred[T], result: T) -> None:
    """Fire a Deferred that may have been cancelled or fired."""
    if not deferred.called:
        deferred.callback(result)


def stopped(service: IService) -> Any:
    """Stop a service unless it has stopped; what it returns fires when that is done."""
    return service.stopService() if service.running else None


class Gate:
    """A handler's signal that it has begun, and the Deferred that it then waits for."""

    def __init__(self) -> None:
        self.cancelled: Deferred[None] = Deferred()
        self.entered: Deferred[None] = Deferred()
        self.opened: Deferred[Any] = Deferred(lambda _: self.cancelled.callback(None))

    def wait(self) -> Deferred[Any]:
        """Fire `entered`, and wait."""
        self.entered.callback(None)
        return self.opened


class Recorder:
    """A callback that keeps what it is called with, and that can be waited for."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self._waiting: list[tuple[Callable[[list[Any]], bool], Deferred[None]]] = []

    def __call__(self, value: Any) -> None:
        """Keep the value and wake whom it concerns."""
        self.calls.append(value)
        for waiting in list(self._waiting):
            predicate, fired = waiting
            if predicate(self.calls):
                self._waiting.remove(waiting)
                fired.callback(None)

    def until(self, predicate: Callable[[list[Any]], bool]) -> Deferred[None]:
        """Fires when `predicate` holds for the calls so far."""
        fired: Deferred[None] = Deferred()
        if predicate(self.calls):
            fired.callback(None)
        else:
            self._waiting.append((predicate, fired))
        return soon(fired)


async def killed(child: "ChildProcess") -> None:
    """End a process, if it has not ended."""
    if not child.ended.called:
        child.signal("KILL")
        await child.ended


def one_turn(clock: Clock) -> None:
    """One turn of a reactor: the calls that are due; what they put off to the next one waits.

    `Clock.advance` makes those too.
    """
    for call in [call for call in clock.calls if call.getTime() <= clock.seconds()]:
        if call.active():
            clock.calls.remove(call)
            call.called = 1
            call.func(*call.args, **call.kw)
