"""One watch of a path, as its user and the reader of the events see it."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.logger import Logger

if TYPE_CHECKING:
    from twistdp.inotify.watches import Inotify

_log = Logger()

Changes = frozenset[str] | None
"""The paths that something happened to; None if anything may have changed."""


class Watch:
    """An interest in the directory (or single file) `path`; see `Inotify.watch`."""

    def __init__(
        self, owner: "Inotify", path: str, mask: int, callback: Callable[[Changes], None]
    ) -> None:
        self._owner = owner
        self.callback = callback
        self.path = path
        self.mask = mask
        self.number: int | None = None
        """The kernel's number of the watch; None while the kernel refuses it."""
        self.place = path
        """The watched directory: the path, or an ancestor while the path is no directory."""
        self.armed = 0
        """The events of the place that the kernel reports."""
        self.identity: tuple[int, int] | None = None
        """The identity of the place."""
        self.awaited: str | None = None
        """The entry of the place that has to appear, while the path is no directory."""

    @property
    def polled(self) -> bool:
        """Whether it reports every second because the kernel refuses it."""
        return self.number is None

    def is_right(self) -> bool:
        """Whether the kernel watches the right directory."""
        return (
            not self.polled and self.identity == identity_of(self.place) and not self.has_appeared()
        )

    def has_appeared(self) -> bool:
        """Whether the entry that has to appear is a directory."""
        return self.awaited is not None and os.path.isdir(os.path.join(self.place, self.awaited))

    def stop(self) -> None:
        """Stop watching."""
        self._owner.forget(self)

    def report(self, changes: Changes) -> None:
        """Call the callback, and log what it raises."""
        with _log.failuresHandled("handling changes in {path}", path=self.path):
            self.callback(changes)


def identity_of(path: str) -> tuple[int, int] | None:
    """What tells a directory or file apart from what may be at its path later."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino
