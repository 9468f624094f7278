"""Decides what the log shows of something that fails again and again."""

from enum import Enum
from typing import Final

from twisted.python.failure import Failure

from twistdp.model import of_error
from twistdp.tools.places import place_of

NEVER: Final = ("", "")


class News(Enum):
    """What a failure adds to the log."""

    STACK = "stack"
    """The failure begins an outage, and the log has no stack of it."""
    LINE = "line"
    """The failure differs from the last one, or the log has the stack from an earlier outage."""
    NOTHING = "nothing"


class Outage:
    """Failures in a row of one piece of foreign code.

    The stack of the first one is worth a page of the log; that of its thousandth repetition is not.
    Later failures get a line, and only if something has changed.
    """

    def __init__(self) -> None:
        self.count = 0
        """Failures so far, 0 while all is well."""
        self._last = NEVER
        self._shown = NEVER

    def failed(self, failure: Failure) -> News:
        """Take note of a failure, and return what is new about it."""
        what = of_error(failure.value), place_of(failure)
        self.count += 1
        if what == self._last:
            return News.NOTHING
        begins = self._last == NEVER
        self._last = what
        if begins and what != self._shown:
            self._shown = what
            return News.STACK
        return News.LINE

    def over(self) -> int:
        """Take note that it works; return the number of failures before."""
        count, self.count = self.count, 0
        self._last = NEVER
        return count
