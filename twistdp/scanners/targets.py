"""What links lead to: where it may change, and which links that concerns."""

import os
from collections.abc import Collection
from typing import Final

MOST: Final = 100
"""So many directories are watched for the sake of links that lead there.

The kernel counts watches by user, for all processes of it together, and each costs time.
"""


class Targets:
    """The steps of links in at most `MOST` directories."""

    def __init__(self) -> None:
        self._links: dict[str, set[str]] = {}
        self.directories: dict[str, None] = {}
        """Those to watch, in which a step of a link may change."""
        self.is_full = False
        """Whether there are steps in more directories."""

    def add(self, step: str, link: str) -> None:
        """`link` leads to `step`."""
        directory = os.path.dirname(step)
        if directory not in self.directories:
            if len(self.directories) >= MOST:
                self.is_full = True
                return
            self.directories[directory] = None
        self._links.setdefault(step, set()).add(link)

    def links_to(self, step: str) -> Collection[str]:
        """The links that lead there."""
        return self._links.get(step, ())
