"""Wall clocks that are set."""

import os
import time
from collections.abc import Callable

from twisted.internet import reactor
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.trial.unittest import SynchronousTestCase

YEAR = 365.25 * 86400.0

STEPS = (15.0, -15.0, 3600.0, -3600.0, 10 * YEAR, -10 * YEAR)
"""Seconds: what NTP corrects after boot, an hour, and a board without a clock of its own."""

_CODE = """\
import os, time
_wall = time.time
def _time():
    with open(os.environ["TWISTDP_TEST_CLOCK"]) as file:
        return _wall() + float(file.read())
time.time = _time
"""


def reactors_wall_clock(case: SynchronousTestCase) -> Callable[[float], None]:
    """For the test, the reactor's clock is a wall clock, as Twisted has it; the result sets it."""
    steps: list[float] = []
    case.patch(AsyncioSelectorReactor, "seconds", staticmethod(lambda: time.time() + sum(steps)))
    before = vars(reactor).pop("seconds", None)

    def restore() -> None:
        vars(reactor).pop("seconds", None)
        if before is not None:
            vars(reactor)["seconds"] = before

    case.addCleanup(restore)
    return steps.append


class WallClock:
    """The wall clock of processes that have the environment `env`; `directory` is for its files.

    Their monotonic clock is the real one, which nobody can set.
    """

    def __init__(self, directory: str, ahead: float = 0.0) -> None:
        self._file = os.path.join(directory, "ahead")
        modules = os.path.join(directory, "clock")
        os.mkdir(modules)
        with open(os.path.join(modules, "sitecustomize.py"), "w", encoding="ascii") as file:
            file.write(_CODE)
        self.env = {"PYTHONPATH": modules, "TWISTDP_TEST_CLOCK": self._file}
        self.ahead = ahead
        self.set(0.0)

    def set(self, step: float) -> None:
        """Set it forward by `step` seconds, or back."""
        self.ahead += step
        with open(f"{self._file}.new", "w", encoding="ascii") as file:
            file.write(str(self.ahead))
        os.rename(f"{self._file}.new", self._file)
