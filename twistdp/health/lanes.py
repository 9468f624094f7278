"""Threads that make checks, never more at once than a bound."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Condition, Thread
from typing import Any, Final

import attrs

from twistdp.health.making import make
from twistdp.health.program import Run
from twistdp.health.values import Check

IDLE: Final = 10.0
"""Seconds without a check after which a thread ends."""

LOOK: Final = 0.25
"""Seconds between two looks at checks that are late."""

MOST_LOST: Final = 64
"""Threads of a lane that hang, at most; then no other takes their place."""

_LANES: Final = {"file": (1, 0.0), "program": (8, 3.0), "network": (16, 3.0)}
"""For each lane: how many checks are made at once, and how many seconds later they are late.

Programs and connections keep their limits themselves, but for what the kernel or a resolver does.
"""


@attrs.define(eq=False)
class Job:
    """A check that is to be made, for the engine's `task`."""

    task: Any
    check: Check
    run: Run = attrs.Factory(Run)
    end: float | None = None
    """When it is late; None while it waits for a thread."""
    is_lost: bool = False
    """Whether it was late: something else takes its place until it ends."""


class Lane:
    """A queue of checks, made by up to `most` threads in the order in which they came.

    `done` is called in these threads with each job and its outcome.  `slack` is how many seconds
    a check may take longer than its limit before it is late.
    """

    def __init__(
        self,
        name: str,
        most: int,
        slack: float,
        seconds: Callable[[], float],
        done: Callable[[Job, str | None], None],
    ) -> None:
        self._name = name
        self._most = most
        self._slack = slack
        self._seconds = seconds
        self._done = done
        self._changed = Condition()
        self._waiting: deque[Job] = deque()
        self._active: dict[Job, None] = {}
        self._threads = self._new = self._idle = self._lost = 0

    @property
    def is_busy(self) -> bool:
        """Whether a check waits or is being made that is not late yet."""
        return bool(self._waiting or self._active)

    def put(self, job: Job) -> None:
        """Have a check made; raises RuntimeError if no thread makes checks and none can start."""
        with self._changed:
            self._waiting.append(job)
            if self._idle:
                self._changed.notify()
            try:
                self._grow()
            except RuntimeError:
                if not self._threads and not self._lost:
                    self._waiting.remove(job)
                    raise

    def late(self) -> list[tuple[Job, str]]:
        """The checks that are late now, each once, and why.

        Their threads are given up, and others take their places.
        """
        now = self._seconds()
        with self._changed:
            late = [job for job in self._active if job.end is not None and job.end <= now]
            for job in late:
                del self._active[job]
                job.is_lost = True
                self._lost += 1
                self._threads -= 1
            found = [
                (job, f"{_begin(job)} took longer than {job.check.timeout:g} s") for job in late
            ]
            if self._lost >= MOST_LOST and not self._threads:
                why = f"cannot be made: {self._lost} others hang"
                found += [(job, f"{_begin(job)} {why}") for job in self._waiting]
                self._waiting.clear()
            with suppress(RuntimeError):  # no thread can start now; this is called again
                self._grow()
            return found

    def stop(self) -> list[Run]:
        """Forget the checks that wait; returns the runs of those that are being made."""
        with self._changed:
            self._waiting.clear()
            return [job.run for job in self._active]

    def _grow(self) -> None:
        """Start threads for the checks that no idle one takes."""
        while (
            len(self._waiting) > self._idle + self._new
            and self._threads < self._most
            and self._lost < MOST_LOST
        ):
            # A daemon thread, as a check may hang and the process must end all the same.
            Thread(target=self._work, name=f"health {self._name}", daemon=True).start()
            self._threads += 1
            self._new += 1

    def _work(self) -> None:
        with self._changed:
            self._new -= 1
        while (job := self._next()) is not None:
            outcome = make(job.check, job.run)
            with self._changed:
                self._active.pop(job, None)
                if job.is_lost:
                    self._lost -= 1
                    self._threads += 1
                surplus = self._threads > self._most
                if surplus:
                    self._threads -= 1
            self._done(job, outcome)
            if surplus:
                return

    def _next(self) -> Job | None:
        """Wait for the next job; None to end."""
        with self._changed:
            while not self._waiting:
                self._idle += 1
                has_come = self._changed.wait(IDLE)
                self._idle -= 1
                if not has_come and not self._waiting:
                    self._threads -= 1
                    return None
            job = self._waiting.popleft()
            job.end = self._seconds() + job.check.timeout + self._slack
            self._active[job] = None
            return job


def new_lanes(
    seconds: Callable[[], float], done: Callable[[Job, str | None], None]
) -> dict[str, Lane]:
    """A lane of each kind, by the names that checks have."""
    return {name: Lane(name, most, slack, seconds, done) for name, (most, slack) in _LANES.items()}


def _begin(job: Job) -> str:
    return f"the check of {job.check.what}"
