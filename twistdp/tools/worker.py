"""A thread for code that may block for ever."""

import errno
import sys
import traceback
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

T = TypeVar("T")

_Job = tuple[Callable[[], Any], Deferred[Any]]


class Worker:
    """One daemon thread that makes one call after the other; never two at once.

    The reactor joins its own thread pool when the process ends, and a call that hangs would keep
    it from ending.
    """

    def __init__(self, name: str, reactor: Any) -> None:
        self._name = name
        self._reactor = reactor
        self._changed = Condition()
        self._jobs: deque[_Job] = deque()
        self._thread: Thread | None = None
        self._ending = False
        self._life = 0
        """How often the worker was stopped: outcomes of calls before that are dropped."""

    def call(self, function: Callable[[], T]) -> Deferred[T]:
        """Call `function` in the thread; fires in the reactor's thread with the outcome.

        After a `stop`, it waits for the call that was under way.  Fails with OSError if no thread
        can start now; the next call tries again.
        """
        done: Deferred[T] = Deferred()
        with self._changed:
            if self._thread is None:
                thread = Thread(target=self._work, name=self._name, daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # how Python reports EAGAIN
                    return fail(OSError(errno.EAGAIN, str(error)))
                self._thread = thread
            self._ending = False
            self._jobs.append((function, done))
            self._changed.notify()
        return done

    def stack(self) -> str:
        """Return where the thread is now, as lines of a traceback; empty if it does not run."""
        thread = self._thread
        frame = sys._current_frames().get(thread.ident or 0) if thread else None
        return "".join(traceback.format_stack(frame)) if frame else ""

    def stop(self) -> None:
        """Let the thread end after its current call, and drop the outcome of that."""
        with self._changed:
            self._life += 1
            self._jobs.clear()
            self._ending = True
            self._changed.notify()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            function, done = job
            life = self._life
            try:
                outcome = function()
            except BaseException:  # also SystemExit: foreign code must not end the thread
                outcome = Failure()
            if life == self._life:
                self._reactor.callFromThread(self._finish, done, life, outcome)

    def _next(self) -> _Job | None:
        """Wait for the next job and return it; None to end."""
        with self._changed:
            while not self._jobs:
                if self._ending:
                    self._thread = None  # from now on a call starts another
                    return None
                self._changed.wait()
            return self._jobs.popleft()

    def _finish(self, done: Deferred[Any], life: int, outcome: Any) -> None:
        if life == self._life:
            done.callback(outcome)
