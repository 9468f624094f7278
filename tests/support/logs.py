"""Helpers for tests of the log."""

import re
import sys
from collections.abc import Callable
from typing import Any, cast

from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from twistdp import klog
from twistdp.logs.format import as_text
from twistdp.logs.output import Observer

# As klog documents it: Lmmdd hh:mm:ss.uuuuuu threadid file:line] msg...
HEADER = re.compile(
    r"(?P<severity>[IWEF])(?P<month>\d\d)(?P<day>\d\d) "
    r"(?P<clock>\d\d:\d\d:\d\d\.\d{6}) (?P<thread>(?=.{7} ) *\d+|\d{8,}) "
    r"(?P<file>[^ :]+):(?P<line>\d+)\] (?P<rest>.*)"
)


def here() -> int:
    """The line that calls this."""
    return sys._getframe(1).f_lineno


def observe(case: SynchronousTestCase, callback: Callable[[dict[str, Any]], None]) -> None:
    """Call `callback` with each event that is logged, until the test ends."""
    observer = cast(ILogObserver, callback)
    globalLogPublisher.addObserver(observer)
    case.addCleanup(globalLogPublisher.removeObserver, observer)


class Kept:
    """An output that keeps what is written."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str]] = []

    def write(self, severity: str, text: str) -> None:
        """See `twistdp.logs.output.Output`."""
        self.written.append((severity, text))


class LogTestCase(SynchronousTestCase):
    """Keeps the lines that a process would write, at level 0 unless a test sets another."""

    form: Any = staticmethod(as_text)

    def setUp(self) -> None:
        """Observe all events; levels are as before afterwards."""
        self.kept = Kept()
        self.observer = Observer(self.kept, self.form)
        globalLogPublisher.addObserver(self.observer)
        self.addCleanup(globalLogPublisher.removeObserver, self.observer)
        self.addCleanup(klog.set_level, klog.level())
        self.addCleanup(klog.set_vmodule, "")
        klog.set_level(0)

    @property
    def lines(self) -> list[str]:
        """The lines written so far, one for each event."""
        return [text for _, text in self.kept.written]

    def only(self) -> "re.Match[str]":
        """The parts of the only line that was written."""
        (line,) = self.lines
        found = HEADER.fullmatch(line)
        assert found is not None, line
        return found

    def said(self) -> str:
        """The text after the header of the only line."""
        return self.only()["rest"]
