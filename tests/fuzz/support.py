"""Helpers for the tests of bad input."""

import atexit
import functools
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, given, settings
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.support.logs import Kept, observe
from twistdp.logs.format import as_text
from twistdp.logs.output import Observer

T = TypeVar("T")

COUNT = "TWISTDP_COUNT_INPUTS"
"""The environment variable that has the inputs of each test counted, on stderr at the end."""

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""A directory where many small files are made quickly; None: the usual temporary one."""

TIMES = int(os.environ.get("TWISTDP_FUZZ_TIMES", "1"))
"""The factor by which to multiply the usual number of inputs."""

LONGEST_LINE = 2800
"""Characters of a log line, about: a text for people, the ids of a call and what is around them."""

_tried: Counter[str] = Counter()


def fuzzed(examples: int, *strategies: Any, name: str = "", **named: Any) -> Callable[[Any], Any]:
    """Call a test with that many inputs of the strategies, counted under its name."""

    def decorate(test: Any) -> Any:
        about = f"{test.__module__}.{name or test.__qualname__}"

        @settings(
            max_examples=examples * TIMES,
            # What is waited for here is the machine, and tests make what they need themselves.
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
        )
        @given(*strategies, **named)
        @functools.wraps(test)
        def counted(*arguments: Any, **keywords: Any) -> Any:
            _tried[about] += 1
            return test(*arguments, **keywords)

        @functools.wraps(test)
        def shown(*arguments: Any, **keywords: Any) -> None:
            try:
                counted(*arguments, **keywords)
            except Exception as error:
                # With the notes and groups in which hypothesis shows the input; trial omits them.
                raise AssertionError("".join(traceback.format_exception(error))) from None

        del shown.__wrapped__  # trial would look for its arguments
        return shown

    return decorate


def in_thread(function: Callable[[], T]) -> Deferred[T]:
    """Call a test that blocks, while the reactor serves it."""
    return deferToThread(function)


class Lines:
    """Collects what twistdp logs in one test, as an operator sees it, and all failures."""

    def __init__(self, case: SynchronousTestCase) -> None:
        self.kept = Kept()
        self.failures: list[str] = []
        self._observer = Observer(self.kept, as_text)
        observe(case, self._observe)

    def take(self) -> list[str]:
        """The events since the last call, each with all its lines."""
        taken, self.kept.written = self.kept.written, []
        return [text for _, text in taken]

    def _observe(self, event: LogEvent) -> None:
        if event.get("log_namespace", "").startswith("twistdp"):
            self._observer(event)
        if "log_failure" in event:
            self.failures.append(event["log_failure"].getTraceback())


def check_lines(case: SynchronousTestCase, lines: list[str], most: int) -> None:
    """Fail if there are more events, or if one is not a single harmless line."""
    case.assertLessEqual(len(lines), most, lines)
    for line in lines:
        case.assertTrue(line.isprintable(), repr(line[:500]))
        case.assertLessEqual(len(line), LONGEST_LINE, line[:500])


def _report() -> None:
    for name, count in sorted(_tried.items()):
        sys.__stderr__.write(f"{count:8} inputs  {name}\n")  # type: ignore[union-attr]
    sys.__stderr__.write(f"{sum(_tried.values()):8} inputs in all\n")  # type: ignore[union-attr]


if os.environ.get(COUNT):
    atexit.register(_report)
