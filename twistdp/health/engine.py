"""Keeps the health checks of a scanner's devices, and the states that follow from the results."""

import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from twistdp.health.once import make_once
from twistdp.health.program import cancel_all
from twistdp.health.schedule import Outcome, Schedule
from twistdp.health.tasks import Device, Health, Task
from twistdp.health.values import Check

Id = TypeVar("Id", bound=Hashable)

PATIENCE: Final = 0.2
"""Seconds that a scan waits for the first checks of its new devices, all together."""


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
        self._schedule: Schedule | None = None
        """Makes the checks while the plugin runs."""

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
            if self._schedule is not None:
                return self._states(wanted, self._schedule)
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
            self._schedule = Schedule(reactor, self._settled, self._take)
            self._schedule.begin(
                [task for each in self._devices.values() for task in each.tasks.values()]
            )

    def stop(self) -> None:
        """Make no more checks, and kill the programs that run."""
        with self._settled:
            schedule, self._schedule = self._schedule, None
            runs = schedule.stop() if schedule is not None else []
            self._reactor = self._wake = None
            for device in self._devices.values():
                for task in device.tasks.values():
                    task.job = None
            self._settled.notify_all()
        cancel_all(runs)

    # In the scanner's thread

    def _states(
        self, wanted: Mapping[Id, Sequence[Check]], schedule: Schedule
    ) -> Mapping[Id, Health]:
        self._asked.update(wanted)
        fresh = [task for key, checks in wanted.items() for task in self._use(key, checks)]
        if fresh:
            self._hand_over(schedule.begin, fresh)
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
            lambda: self._schedule is None or all(task.memory is not None for task in tasks),
            self._patience,
        )
        self._patience -= time.monotonic() - began

    # In the reactor's thread

    def _take(self, outcomes: Sequence[Outcome]) -> None:
        """Take note of outcomes, and wake the scanner if they change a device."""
        changed = []
        for task, problem in outcomes:
            is_first = task.memory is None
            task.take(problem)
            self.made(task.check, not problem)
            if (is_first or problem or task.device.failing) and task.device.is_changed():
                changed.append(task.device.key)
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
