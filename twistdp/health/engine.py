"""Makes the health checks of devices at their intervals, and keeps the results."""

import random
import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final, TypeVar

from twistdp.health.lanes import LOOK, Job, Lane, new_lanes
from twistdp.health.once import make_once
from twistdp.health.program import cancel_all
from twistdp.health.tasks import Device, Health, Task
from twistdp.health.values import Check

Id = TypeVar("Id", bound=Hashable)

PATIENCE: Final = 0.2
"""Seconds that a scan waits for the first checks of its new devices, all together."""

_TURN: Final = 0.05
"""Seconds between two turns in which checks begin."""

_MOST: Final = 200
"""Checks that begin in one turn of the reactor."""


class HealthChecks:
    """The health checks of a scanner's devices.

    A scanner keeps one as its attribute `checks`, and asks it for the state of each device that it
    finds.  While the plugin runs, each check is made again after its interval, never in the
    reactor's thread, and a result that changes a device causes a scan at once.  Devices that
    `discover` no longer asks for are forgotten.  Before and after that, as in tests and in
    ``twistdp scan``, a call makes the checks once, in its thread.

    A scanner with a loop of its own passes `changed`, which is called in the reactor's thread
    after the state of a device has changed, and calls `keep`.
    """

    def __init__(self, changed: Callable[[], None] | None = None) -> None:
        self._notify = changed
        self.made: Callable[[Check, bool], None] = _ignored
        """Called in the reactor's thread with each check that was made, and whether it passed."""
        self._wake: Callable[[], None] | None = None
        self._reactor: Any = None
        self._thread = 0
        self._settled = threading.Condition()
        self._devices: dict[Hashable, Device] = {}
        self._changed: set[Hashable] = set()
        self._asked: set[Hashable] = set()
        self._patience = 0.0
        self._lanes: dict[str, Lane] = {}
        self._results: list[tuple[Job, str | None]] = []
        self._heap: list[tuple[float, int, Task]] = []
        self._numbers = count()
        self._turn: Any = None
        self._look: Any = None

    # For scanners

    def state(self, device_id: Hashable, checks: Iterable[Check]) -> Health:
        """State and reason of a device with these checks, which begin with the first call.

        A device is unhealthy while a check of it fails.  A new one is unhealthy until all of its
        checks have been made; a scan waits for these, but no longer than `PATIENCE`.  Checks that
        equal those of the last call go on as they are.
        """
        return self.states({device_id: tuple(checks)})[device_id]

    def states(self, wanted: Mapping[Id, Sequence[Check]]) -> Mapping[Id, Health]:
        """As `state`, of many devices."""
        with self._settled:
            # Asked while the lock is held: the plugin may stop while a scan runs.
            if self._reactor is not None:
                return self._states(wanted)
        return _states_now(wanted)

    def keep(self, device_ids: Iterable[Hashable]) -> None:
        """Forget all devices but these, and cancel their checks."""
        kept = set(device_ids)
        with self._settled:
            self.forget([key for key in self._devices if key not in kept])

    def forget(self, device_ids: Iterable[Hashable]) -> None:
        """Forget these devices, and cancel their checks."""
        with self._settled:
            for key in device_ids:
                device = self._devices.pop(key, None)
                self._changed.discard(key)
                self._drop(device.tasks.values() if device is not None else ())

    def changed(self) -> Collection[Hashable]:
        """The devices whose state has changed since the last call."""
        with self._settled:
            changed, self._changed = self._changed, set()
            return changed

    # For the framework

    @contextmanager
    def scan(self, is_whole: bool) -> Iterator[None]:
        """Surrounds a scan; after a whole one, devices that it did not ask for are forgotten."""
        with self._settled:
            self._asked = set()
            self._patience = PATIENCE
        try:
            yield
        finally:
            self._patience = 0.0
        if is_whole:
            self.keep(self._asked)

    def start(self, reactor: Any, wake: Callable[[], None] | None = None) -> None:
        """Make the checks from now on; `wake` is called when a state has changed."""
        with self._settled:
            self._reactor, self._wake = reactor, wake
            self._thread = threading.get_ident()
            self._lanes = new_lanes(reactor.seconds, self._done)
            self._begin([task for each in self._devices.values() for task in each.tasks.values()])

    def stop(self) -> None:
        """Make no more checks, and kill the programs that run."""
        with self._settled:
            self._reactor = self._wake = None
            runs = [run for lane in self._lanes.values() for run in lane.stop()]
            self._lanes = {}
            self._heap.clear()
            self._results.clear()
            for device in self._devices.values():
                for task in device.tasks.values():
                    task.job = None
            for timer in (self._turn, self._look):
                if timer is not None:
                    timer.cancel()
            self._turn = self._look = None
            self._settled.notify_all()
        cancel_all(runs)

    # In the scanner's thread

    def _states(self, wanted: Mapping[Id, Sequence[Check]]) -> Mapping[Id, Health]:
        self._asked.update(wanted)
        fresh = [task for key, checks in wanted.items() for task in self._use(key, checks)]
        if fresh:
            self._hand_over(self._begin, fresh)
            self._wait_for(fresh)
        found = {}
        for key in wanted:
            device = self._devices[key]
            device.is_changed()
            found[key] = device.health()
        return found

    def _use(self, key: Hashable, checks: Sequence[Check]) -> list[Task]:
        """Let a device have these checks; returns the tasks of those that are new."""
        device = self._devices.get(key)
        is_new = device is None
        if device is None:
            device = self._devices[key] = Device(key)
        before = device.tasks
        if list(before) == list(checks):
            return []
        healthy = not is_new and not any(task.problem for task in before.values())
        device.tasks = {
            check: before.get(check) or Task(device, check, healthy) for check in checks
        }
        self._drop(task for check, task in before.items() if check not in device.tasks)
        return [task for check, task in device.tasks.items() if check not in before]

    def _drop(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            task.is_dropped = True
            if task.job is not None:
                task.job.run.cancel()

    def _hand_over(self, function: Callable[..., None], *args: Any) -> None:
        if threading.get_ident() == self._thread:
            function(*args)
        else:
            self._reactor.callFromThread(function, *args)

    def _wait_for(self, tasks: Sequence[Task]) -> None:
        """Wait until checks have been made, as long as there is patience left."""
        if self._patience <= 0.0 or threading.get_ident() == self._thread:
            return
        began = time.monotonic()
        self._settled.wait_for(
            lambda: self._reactor is None or all(task.memory is not None for task in tasks),
            self._patience,
        )
        self._patience -= time.monotonic() - began

    # In the threads of lanes

    def _done(self, job: Job, problem: str | None) -> None:
        reactor = self._reactor
        if reactor is None:
            return
        with self._settled:
            self._results.append((job, problem))
            is_first = len(self._results) == 1
        if is_first:
            reactor.callFromThread(self._take_results)

    # In the reactor's thread

    def _begin(self, tasks: Iterable[Task]) -> None:
        if self._reactor is None:
            return
        now = self._reactor.seconds()
        with self._settled:
            for task in tasks:
                heappush(self._heap, (now, next(self._numbers), task))
        self._make_due()

    def _make_due(self) -> None:
        """Begin the checks that are due, and come again for the next ones."""
        if self._turn is not None and self._turn.active():
            self._turn.cancel()
        self._turn = None
        now = self._reactor.seconds()
        began = 0
        failed = []
        with self._settled:
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
        with self._settled:
            results, self._results = self._results, []
            if self._reactor is None:
                return
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

    def _take(self, outcomes: Iterable[tuple[Task, str]], now: float) -> None:
        """Take note of outcomes, and wake the scanner if they change a device."""
        changed = []
        for task, problem in outcomes:
            is_first = task.memory is None
            task.take(problem)
            self.made(task.check, not problem)
            self._again(task, now, is_first)
            if (is_first or problem or task.device.failing) and task.device.is_changed():
                changed.append(task.device.key)
        self._wait_for_next(now)
        self._settled.notify_all()
        if changed:
            self._changed.update(changed)
            # Afterwards, because a scanner's function may take its time, or raise.
            self._reactor.callFromThread(self._report)

    def _report(self) -> None:
        """Report that states have changed."""
        if self._wake is not None:
            self._wake()
        if self._reactor is not None and self._notify is not None:
            self._notify()

    def _watch(self) -> None:
        """Look for checks that are late, while some are being made."""
        if self._look is None and any(lane.is_busy for lane in self._lanes.values()):
            self._look = self._reactor.callLater(LOOK, self._look_for_late)

    def _look_for_late(self) -> None:
        self._look = None
        with self._settled:
            late = [found for lane in self._lanes.values() for found in lane.late()]
            now = self._reactor.seconds()
            for job, _ in late:
                job.run.cancel()
                if not job.is_lost:
                    job.task.job = None  # it never began
            self._take([(j.task, why) for j, why in late if not j.task.is_dropped], now)
            self._watch()


def _ignored(check: Check, passed: bool) -> None:
    """Nobody counts checks."""


def _states_now(wanted: Mapping[Id, Sequence[Check]]) -> Mapping[Id, Health]:
    """Make checks once, and let each decide."""
    problems = make_once(check for checks in wanted.values() for check in checks)
    found = {}
    for key, checks in wanted.items():
        device = Device(key)
        for check in checks:
            task = device.tasks[check] = Task(device, check, True)
            task.take(problems[check])
        found[key] = device.health()
    return found
