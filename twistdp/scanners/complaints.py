"""Logs a scanner's complaints once each, and never too many."""

from collections.abc import Callable
from time import monotonic
from typing import Final

from twistdp.tools import Budget

MOST: Final = 100
"""Complaints that are remembered: in some directories anybody may make files."""

_EXAMPLES: Final = 3
"""More new complaints than these in one scan become one line, with as many examples."""


class Complaints:
    """Logs each complaint once by `log`, and again if it has ended in between.

    A scan calls `add` for each, and then `end`.  `seconds` returns the time.
    """

    def __init__(
        self, log: Callable[[str], object], seconds: Callable[[], float] = monotonic
    ) -> None:
        self._log = log
        self._budget = Budget(seconds)
        self._known: set[str] = set()
        self._present: set[str] = set()
        self._examples: list[str] = []
        self._new: list[str] = []
        self._dropped = 0  # complaints for which there was no room
        self._is_full = False

    def is_wanted(self) -> bool:
        """Whether a complaint would be shown at all."""
        return True

    def add(self, about: str, text: str) -> None:
        """Something is wrong with `about`."""
        if about in self._present:
            return
        if about not in self._known:
            if len(self._known) >= MOST:
                self._dropped += 1
                return
            self._known.add(about)
            self._new.append(about)
            if len(self._new) <= _EXAMPLES:
                self._examples.append(text)
        self._present.add(about)

    def end(self, everything: bool) -> None:
        """Log new complaints.  After a scan of `everything`, forget those that have ended."""
        if everything:
            self._known &= self._present
        must_wait = self._must_wait()
        if must_wait:
            self._known.difference_update(self._new)  # a later scan logs them
        elif len(self._new) > _EXAMPLES:
            count = len(self._new) + self._dropped
            self._log(f"{count} complaints, such as these: {'; '.join(self._examples)}")
        else:
            for text in self._examples:
                self._log(text)
            if self._dropped and not self._is_full:
                self._log(
                    f"{self._dropped} more complaints, which are logged when others have ended"
                )
        if everything or self._dropped:
            self._is_full = self._dropped > 0 and not must_wait
        self._present.clear()
        self._examples.clear()
        self._new.clear()
        self._dropped = 0

    def _must_wait(self) -> bool:
        """Whether new complaints wait: others may make and remove files all the time."""
        is_new = bool(self._new) or (self._dropped > 0 and not self._is_full)
        return is_new and not self._budget.spend()
