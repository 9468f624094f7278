"""Remembers what changed since the last scan began."""

from collections.abc import Collection
from typing import Final

from twistdp.inotify import Changes

MOST_CHANGES: Final = 4096
"""Most paths that are kept for the next scan; when there are more, anything may have changed."""


class Pending:
    """The changes since the last scan began: some paths, or anything."""

    def __init__(self) -> None:
        self._paths: set[str] = set()
        self._anything = self._is_due = True

    def __bool__(self) -> bool:
        return self._is_due

    def add(self, changes: Changes) -> None:
        """Add changed paths, or None when anything may have changed.

        No paths are a reason for a scan, too.
        """
        self._is_due = True
        if changes is not None and not self._anything:
            self._paths |= changes
        if changes is None or len(self._paths) > MOST_CHANGES:
            self._anything = True
            self._paths.clear()

    def take(self) -> Collection[str] | None:
        """Return the changed paths, None for anything, and start with no changes again."""
        self._is_due = False
        paths, self._paths = self._paths, set()
        anything, self._anything = self._anything, False
        return None if anything else paths
