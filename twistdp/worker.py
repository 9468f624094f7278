"""A thread for code that may block for ever."""

import errno
import sys
import traceback
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

T = TypeVar("T")

_Job = tuple[Callable[[], Any], Deferred[Any]]


class Worker:
    """One daemon thread that makes one call after the other.

    Not the reactor's thread pool, which is joined when the process ends: a call that hangs must
    not keep it from ending.
    """

    def __init__(self, name: str, reactor: Any) -> None:
        self._name = name
        self._reactor = reactor
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._stopped = False

    def call(self, function: Callable[[], T]) -> Deferred[T]:
        """Call `function` in the thread; fires in the reactor's thread with what comes of it.

        Fails with OSError when there can be no thread now; the next call tries again.
        """
        if self._thread is None:
            thread = Thread(target=self._work, name=self._name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # Python's way to tell EAGAIN
                return fail(OSError(errno.EAGAIN, str(error)))
            self._thread = thread
        done: Deferred[T] = Deferred()
        self._jobs.put((function, done))
        return done

    def stack(self) -> str:
        """Where the thread is now, as a traceback's lines; empty when it does not run."""
        frame = sys._current_frames().get(self._thread.ident or 0) if self._thread else None
        return "".join(traceback.format_stack(frame)) if frame else ""

    def stop(self) -> None:
        """Let the thread end after its current call, whose outcome is dropped."""
        self._stopped = True
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None and not self._stopped:
            function, done = job
            try:
                outcome = function()
            except BaseException:  # also SystemExit: foreign code must not end the thread
                outcome = Failure()
            if not self._stopped:
                self._reactor.callFromThread(self._finish, done, outcome)

    def _finish(self, done: Deferred[Any], outcome: Any) -> None:
        if not self._stopped:
            done.callback(outcome)
