"""The goals."""

import math
from collections.abc import Mapping

import attrs

from benchmarks.bench.contenders import AIO, OURS
from benchmarks.bench.record import Figure


@attrs.frozen
class Goal:
    """At most `bound`, or at least it where more is better, `times` a floor of the same run."""

    bound: float
    times: str = ""

    def value(self, figure: Figure) -> float | None:
        """Our median, or its ratio to the floor's; None if not measured."""
        return figure.ratio(OURS, self.times) if self.times else figure.median(OURS)

    def is_met(self, figure: Figure) -> bool | None:
        """Whether the goal is met; None if it was not measured."""
        value = self.value(figure)
        if value is None:
            return None
        # As the report shows it, which must not say that 1.15 is more than 1.15.
        if math.isfinite(value):
            value = round(value, 2) if self.times else float(f"{value:.3g}")
        return value >= self.bound if figure.more else value <= self.bound

    def shown(self, figure: Figure) -> str:
        """The goal as text for people."""
        bound = f"{'≥' if figure.more else '≤'} {self.bound:g}"
        return f"{bound} of {self.times}" if self.times else f"{bound} {figure.unit}".rstrip()


GOALS: Mapping[str, Goal] = {
    "start to Register, 1 device": Goal(350),
    "start to Register, 10000 devices": Goal(500),
    "hot plug, add, 100 devices": Goal(5),
    "hot plug, remove, 100 devices": Goal(5),
    "hot plug, add, 10000 devices": Goal(20),
    "hot plug, remove, 10000 devices": Goal(20),
    "kubelet restart to listed, 1 resource": Goal(20),
    "kubelet restart to listed, 200 resources": Goal(400),
    "storm: converged after the last event": Goal(100),
    "storm: messages": Goal(25),
    "storm: CPU": Goal(0.5),
    "Allocate, 1 device": Goal(1.15, AIO),
    "Allocate, 8 devices": Goal(1.15, AIO),
    "Allocate, 100 devices": Goal(1.3, AIO),
    "Allocate rate, 64 callers": Goal(0.85, AIO),
    "RSS, 8 devices": Goal(50),
    "RSS, 10000 devices": Goal(65),
    "RSS, 200 resources": Goal(75),
    "threads, 200 resources": Goal(10),
    "inotify instances, 200 resources": Goal(1),
    "idle CPU a minute, 10000 devices": Goal(0.06),
    "idle CPU a minute, 200 resources": Goal(0.06),
    "idle wakeups a minute, 10000 devices": Goal(700),
    "idle wakeups a minute, 200 resources": Goal(700),
    "declared: first scan": Goal(1000),
    "declared: add a device": Goal(10),
    "declared: remove a device": Goal(10),
    "declared: first scan, members and mounts": Goal(1000),
    "declared: add a device, members and mounts": Goal(10),
    "declared: remove a device, members and mounts": Goal(10),
    "declared: RSS beyond the scanner by hand": Goal(15),
    "declared: RSS beyond the scanner by hand after a rescan": Goal(15),
}
"""The goals by the name of the figure."""
