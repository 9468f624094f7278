"""Remembers what links lead to, so that a change there is noticed."""

import os
from collections.abc import Collection
from typing import Final

MOST: Final = 100
"""Directories that are watched because links lead there.

The kernel limits a user's watches, of all processes together, and each costs time.
"""


class Targets:
    """The steps of links in at most `MOST` directories."""

    def __init__(self) -> None:
        self._links: dict[str, set[str]] = {}
        self.directories: dict[str, None] = {}
        """The directories to watch, in which a step of a link may change."""
        self.is_full = False
        """Whether there are steps in more directories."""

    def add(self, step: str, link: str) -> None:
        """Remember that `link` leads to `step`."""
        directory = os.path.dirname(step)
        if directory not in self.directories:
            if len(self.directories) >= MOST:
                self.is_full = True
                return
            self.directories[directory] = None
        self._links.setdefault(step, set()).add(link)

    def links_to(self, step: str) -> Collection[str]:
        """The links that lead to `step`."""
        return self._links.get(step, ())
