"""Begins checks when they are due, and hands on what they have found."""

import random
from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from itertools import count
from threading import Condition
from typing import Any, Final, TypeAlias

from twistdp.health.lanes import LOOK, Job, new_lanes
from twistdp.health.program import Run
from twistdp.health.tasks import Task

_TURN: Final = 0.05
"""Seconds between two turns in which checks begin."""

_MOST: Final = 200
"""Checks that begin in one turn of the reactor."""

Outcome: TypeAlias = tuple[Task, str]
"""A task that was made or is late, and its problem; that is empty if the check passed."""


class Schedule:
    """Makes tasks again and again, each at its interval, until it is stopped.

    Everything is done in the reactor's thread.  `take` is called there with outcomes, while `lock`
    is held.
    """

    def __init__(
        self, reactor: Any, lock: Condition, take: Callable[[Sequence[Outcome]], None]
    ) -> None:
        self._reactor = reactor
        self._lock = lock
        self._take_outcomes = take
        self._is_stopped = False
        self._lanes = new_lanes(reactor.seconds, self._done)
        self._results: list[tuple[Job, str | None]] = []
        self._heap: list[tuple[float, int, Task]] = []
        self._numbers = count()
        self._turn: Any = None
        self._look: Any = None

    def begin(self, tasks: Iterable[Task]) -> None:
        """Make these too, for the first time at once; does nothing after a stop."""
        if self._is_stopped:
            return
        now = self._reactor.seconds()
        with self._lock:
            for task in tasks:
                heappush(self._heap, (now, next(self._numbers), task))
        self._make_due()

    def stop(self) -> list[Run]:
        """Make no more checks; returns the runs of those that are being made."""
        self._is_stopped = True
        self._heap.clear()
        self._results.clear()
        for timer in (self._turn, self._look):
            if timer is not None:
                timer.cancel()
        self._turn = self._look = None
        return [run for lane in self._lanes.values() for run in lane.stop()]

    # In the threads of lanes

    def _done(self, job: Job, problem: str | None) -> None:
        with self._lock:
            if self._is_stopped:
                return
            self._results.append((job, problem))
            is_first = len(self._results) == 1
        if is_first:
            self._reactor.callFromThread(self._take_results)

    # In the reactor's thread

    def _make_due(self) -> None:
        """Begin the checks that are due, and come again for the next ones."""
        if self._turn is not None and self._turn.active():
            self._turn.cancel()
        self._turn = None
        now = self._reactor.seconds()
        began = 0
        failed = []
        with self._lock:
            while self._heap and self._heap[0][0] <= now and began < _MOST:
                task = heappop(self._heap)[2]
                if not task.is_dropped:
                    began += 1
                    problem = self._make(task, now)
                    if problem:
                        failed.append((task, problem))
            if began == _MOST:
                self._turn = self._reactor.callLater(0.0, self._make_due)
            self._take(failed, now)
            self._watch()

    def _make(self, task: Task, now: float) -> str:
        """Have a check made; returns why it cannot be, if it is late since the last time."""
        task.began = now
        if task.job is not None:
            return f"the check of {task.check.what} is still waited for"
        job = task.job = Job(task, task.check)
        try:
            self._lanes[task.check.lane].put(job)
        except RuntimeError:  # no thread can start
            task.job = None
            self._again(task, now)
        return ""

    def _again(self, task: Task, now: float, is_first: bool = False) -> None:
        """Have a check made again after its interval, which differs a little each time.

        So checks that began at the same time soon do not.
        """
        # Nothing is kept secret by this.
        part = random.uniform(0.5 if is_first else 0.95, 1.0 if is_first else 1.05)  # noqa: S311
        due = max(now, task.began + part * task.check.every)
        heappush(self._heap, (due, next(self._numbers), task))

    def _wait_for_next(self, now: float) -> None:
        """Come again when the next check is due, but let some time pass."""
        if not self._heap:
            return
        wait = max(_TURN, self._heap[0][0] - now)
        if self._turn is None:
            self._turn = self._reactor.callLater(wait, self._make_due)
        elif self._turn.getTime() > now + wait:
            self._turn.reset(wait)

    def _take_results(self) -> None:
        with self._lock:
            results, self._results = self._results, []
            now = self._reactor.seconds()
            taken = []
            for job, problem in results:
                task: Task = job.task
                if task.job is not job:
                    continue
                task.job = None
                if job.is_lost or task.is_dropped:
                    continue  # it was taken as failed, and is due again
                if problem is None:
                    self._again(task, now)
                else:
                    taken.append((task, problem))
            self._take(taken, now)

    def _take(self, outcomes: Sequence[Outcome], now: float) -> None:
        """Hand on outcomes, and have these checks made again."""
        for task, _ in outcomes:
            self._again(task, now, is_first=task.memory is None)
        self._wait_for_next(now)
        self._take_outcomes(outcomes)

    def _watch(self) -> None:
        """Look for checks that are late, while some are being made."""
        if self._look is None and any(lane.is_busy for lane in self._lanes.values()):
            self._look = self._reactor.callLater(LOOK, self._look_for_late)

    def _look_for_late(self) -> None:
        self._look = None
        with self._lock:
            late = [found for lane in self._lanes.values() for found in lane.late()]
            now = self._reactor.seconds()
            for job, _ in late:
                job.run.cancel()
                if not job.is_lost:
                    job.task.job = None  # it never began
            self._take([(j.task, why) for j, why in late if not j.task.is_dropped], now)
            self._watch()
