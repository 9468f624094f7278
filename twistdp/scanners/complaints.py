"""What a scanner complains of: once, and never without end."""

from collections.abc import Callable
from typing import Final

MOST: Final = 100
"""So many complaints are remembered: in some directories anybody may make files."""

_EXAMPLES: Final = 3
"""More new complaints than these in one scan are one line, with so many examples."""


class Complaints:
    """Has each complaint logged by `log` once, and again when it had ended in between.

    A scan adds to them, and then ends.
    """

    def __init__(self, log: Callable[[str], object]) -> None:
        self._log = log
        self._known: set[str] = set()
        self._present: set[str] = set()
        self._examples: list[str] = []
        self._new = 0
        self._untold = 0  # what there was no room for
        self._is_full = False

    def add(self, about: str, text: str) -> None:
        """Something is wrong with `about`."""
        if about in self._present:
            return
        if about not in self._known:
            if len(self._known) >= MOST:
                self._untold += 1
                return
            self._known.add(about)
            self._new += 1
            if self._new <= _EXAMPLES:
                self._examples.append(text)
        self._present.add(about)

    def end(self, everything: bool) -> None:
        """Log what is new.  After a scan of `everything`, forget what was not found again."""
        if everything:
            self._known &= self._present
        if self._new > _EXAMPLES:
            count = self._new + self._untold
            self._log(f"{count} complaints, such as these: {'; '.join(self._examples)}")
        else:
            for text in self._examples:
                self._log(text)
            if self._untold and not self._is_full:
                self._log(
                    f"{self._untold} more complaints, which are logged when others have ended"
                )
        if everything or self._untold:
            self._is_full = self._untold > 0
        self._present.clear()
        self._examples.clear()
        self._new = self._untold = 0
