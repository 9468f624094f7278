"""The result of each check of a device, and the health that follows from all of them."""

from collections.abc import Hashable
from typing import NamedTuple

import attrs

from twistdp.health.lanes import Job
from twistdp.health.values import Check
from twistdp.model import HEALTHY, UNHEALTHY, Memory


class Health(NamedTuple):
    """The state of a device, and why it is unhealthy; empty if it is healthy."""

    state: str
    reason: str


@attrs.define(eq=False)
class Task:
    """A check of a device."""

    device: "Device"
    check: Check
    assumed: bool
    """Whether the device counts as healthy until the check has been made."""
    memory: Memory | None = None
    began: float = 0.0
    job: Job | None = None
    is_dropped: bool = False

    @property
    def problem(self) -> str:
        """Why the check makes its device unhealthy; empty if it does not."""
        if self.memory is None:
            return "" if self.assumed else f"its first check of {self.check.what} has not ended yet"
        if self.memory.healthy:
            return ""
        return f"{self.check.reason}: {self.memory.reason}".removeprefix(": ")

    def take(self, problem: str) -> None:
        """Take note of an outcome."""
        healthy, check = not problem, self.check
        if self.memory is None:
            self.memory = Memory(healthy)
        self.memory.take(
            healthy, problem, check.unhealthy_after, check.healthy_after, check.recover
        )


@attrs.define(eq=False)
class Device:
    """The checks of a device, and which of them its state was last due to, made or not."""

    key: Hashable
    tasks: dict[Check, Task] = attrs.Factory(dict)
    failing: tuple[tuple[Check, bool], ...] = ()

    def is_changed(self) -> bool:
        """Whether it is unhealthy for other checks than when this was asked last."""
        before = self.failing
        self.failing = tuple(
            (check, task.memory is None) for check, task in self.tasks.items() if task.problem
        )
        return self.failing != before

    def health(self) -> Health:
        """Return the state that follows from the results of its checks."""
        problems = [problem for task in self.tasks.values() if (problem := task.problem)]
        return Health(UNHEALTHY, "; ".join(problems)) if problems else Health(HEALTHY, "")
