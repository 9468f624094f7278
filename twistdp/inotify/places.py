"""Knows which directory the kernel watches for each watch, and which watches share one."""

import errno
import os
from collections.abc import Iterable
from typing import Final

from twistdp.inotify.descriptor import ATTRIBUTES, CONTENTS, ENTRIES, MOVED, InotifyDescriptor
from twistdp.inotify.watch import Watch, identity_of

# A directory may appear at a path with such an error.
_ABSENT: Final = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}


class Places:
    """The directories that an open descriptor watches, each for any number of watches."""

    def __init__(self, kernel: InotifyDescriptor) -> None:
        self._kernel = kernel
        self._users: dict[int, dict[Watch, None]] = {}

    def users(self, number: int) -> Iterable[Watch]:
        """The watches that share the directory of this number; none if it is not ours any more."""
        return self._users.get(number, ())

    def arm(self, watch: Watch) -> None:
        """Watch the path, or the nearest ancestor in which the next part of it can appear.

        Raises OSError if the kernel refuses it.
        """
        watch.place, watch.awaited, watch.armed = watch.path, None, watch.mask
        while True:
            watch.identity = identity_of(watch.place)
            number = self._add(watch.place, watch.armed)
            if number is None:
                # It may be a file, and its contents may matter; those of a file above do not.
                contents = watch.mask & CONTENTS if watch.place == watch.path else 0
                watch.place, watch.awaited = os.path.split(watch.place)
                watch.armed = ENTRIES | ATTRIBUTES | contents
            elif watch.has_appeared():  # between the two attempts
                if number not in self._users:
                    self._kernel.remove(number)
                watch.place, watch.awaited, watch.armed = watch.path, None, watch.mask
            else:
                break
        watch.number = number
        self._users.setdefault(number, {})[watch] = None

    def disarm(self, watch: Watch) -> None:
        """End what the kernel does for an armed watch alone."""
        number, watch.number = watch.number, None
        assert number is not None
        users = self._users[number]
        del users[watch]
        if not users:
            del self._users[number]
            self._kernel.remove(number)
        elif (
            watch.armed & CONTENTS
            and not any(user.armed & CONTENTS for user in users)
            and watch.identity == identity_of(watch.place)
        ):
            self._kernel.drop_contents(watch.place)

    def drop(self, number: int, mask: int) -> list[Watch]:
        """Forget a number whose directory is gone, as `mask` says; returns its watches."""
        users = list(self._users.pop(number, ()))
        for watch in users:
            watch.number = None
        if users:
            if mask & MOVED:
                self._kernel.remove(number)
            else:
                self._kernel.forget(number)
        return users

    def holds(self, watch: Watch) -> bool:
        """Whether the kernel still watches the right directory, as far as possible.

        If it is asked to watch the same directory again, the kernel returns the same number, or
        another one if the directory was gone in between.  The file's identity does not show that,
        because the kernel uses it again.
        """
        try:
            number = self._add(watch.place, watch.armed)
        except OSError:
            return False
        if number is not None and number not in self._users:
            self._kernel.remove(number)
        return number == watch.number and not watch.has_appeared()

    def _add(self, path: str, mask: int) -> int | None:
        """Make the kernel watch a directory; None if there is none.  Raises OSError."""
        try:
            return self._kernel.add(path, mask)
        except ValueError:
            return None  # not a path, but a directory above it is one
        except OSError as error:
            if error.errno in _ABSENT and path != "/":
                return None
            raise
