"""Helpers for tests of several modules."""

import importlib.util
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from twisted.application.service import IService
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, LoopingCall
from twisted.trial.unittest import SynchronousTestCase

from twistdp.errors import BadDevice
from twistdp.rpc.calls import Method
from twistdp.rpc.channel import Channel
from twistdp.rpc.server import Server

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)


def script(name: str) -> Any:
    """A program of ``.ci``, as a module."""
    path = Path(__file__).resolve().parents[2] / ".ci" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def temporary_directory(case: SynchronousTestCase) -> str:
    """A directory with a path short enough for sockets, removed after the test."""
    path = tempfile.mkdtemp(prefix="tdp-")
    case.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


def made(factory: Callable[..., T], otherwise: T) -> Callable[..., T]:
    """Like `factory`, for strategies: what it refuses is `otherwise`."""

    def make(*arguments: Any, **parts: Any) -> T:
        try:
            return factory(*arguments, **parts)
        except BadDevice as error:
            assert str(error).isprintable(), repr(str(error))
        except Exception as error:  # of the values' own methods, such as comparing an array
            assert not isinstance(error, AttributeError | NameError), error
        return otherwise

    return make


@contextmanager
def tmpfs(path: str, options: str = "") -> Iterator[None]:
    """A file system of its own at `path` while the block runs; needs root."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"mode=0755,{options}", "tmpfs", path], check=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


@contextmanager
def no_descriptors(but: int = 0) -> Iterator[None]:
    """Let this process open only `but` more files while the block runs."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    *few, next_one = [os.dup(0) for _ in range(but + 1)]
    for descriptor in (*few, next_one):
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (next_one, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def soon(deferred: Deferred[T]) -> Deferred[T]:
    """The same Deferred, which fails the test unless it fires within seconds."""
    return deferred.addTimeout(30.0, reactor)


def until(condition: Callable[[], object], timeout: float = 30.0) -> Deferred[None]:
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


def server_of(case: SynchronousTestCase, path: str, *methods: Method, **options: Any) -> Server:
    """A server, not yet listening, that is stopped after the test."""
    options.setdefault("grace", 0.01)
    server = Server(path, methods, reactor=reactor, **options)
    case.addCleanup(server.stopService)
    return server


def channel_to(case: SynchronousTestCase, path: str, **options: Any) -> Channel:
    """A client of `path` that is closed after the test."""
    channel = Channel(path, reactor=reactor, **options)
    case.addCleanup(channel.close)
    return channel


async def served(case: SynchronousTestCase, *methods: Method, **options: Any) -> Channel:
    """A client of a server that offers `methods`."""
    path = f"{temporary_directory(case)}/a.sock"
    await soon(server_of(case, path, *methods).listen())
    return channel_to(case, path, **options)


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


def one_turn(clock: Clock) -> None:
    """One turn of a reactor: the calls that are due; what they put off to the next one waits.

    `Clock.advance` makes those too.
    """
    for call in [call for call in clock.calls if call.getTime() <= clock.seconds()]:
        if call.active():
            clock.calls.remove(call)
            call.called = 1
            call.func(*call.args, **call.kw)
