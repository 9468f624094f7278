"""Logs a scanner's complaints once each, and never too many."""

from collections.abc import Callable
from typing import Final

MOST: Final = 100
"""Complaints that are remembered: in some directories anybody may make files."""

_EXAMPLES: Final = 3
"""More new complaints than these in one scan become one line, with as many examples."""


class Complaints:
    """Logs each complaint once by `log`, and again if it has ended in between.

    A scan calls `add` for each, and then `end`.
    """

    def __init__(self, log: Callable[[str], object]) -> None:
        self._log = log
        self._known: set[str] = set()
        self._present: set[str] = set()
        self._examples: list[str] = []
        self._new = 0
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
            self._new += 1
            if self._new <= _EXAMPLES:
                self._examples.append(text)
        self._present.add(about)

    def end(self, everything: bool) -> None:
        """Log new complaints.  After a scan of `everything`, forget those that have ended."""
        if everything:
            self._known &= self._present
        if self._new > _EXAMPLES:
            count = self._new + self._dropped
            self._log(f"{count} complaints, such as these: {'; '.join(self._examples)}")
        else:
            for text in self._examples:
                self._log(text)
            if self._dropped and not self._is_full:
                self._log(
                    f"{self._dropped} more complaints, which are logged when others have ended"
                )
        if everything or self._dropped:
            self._is_full = self._dropped > 0
        self._present.clear()
        self._examples.clear()
        self._new = self._dropped = 0
