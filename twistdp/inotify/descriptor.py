"""The kernel's side of inotify: a descriptor, its watches and events, and its limits.

pyinotify has the system calls.  Its own reader and errors are not used: the reader raises on
a name that is not UTF-8, and the errors have their errno only in their text.
"""

import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import pyinotify

from twistdp.host import check_descriptors, keep_from_children, remedy_for

# pyinotify writes its log to stderr by itself; without handlers its messages go where all logs go.
pyinotify.log.handlers.clear()

ENTRIES: Final = (
    pyinotify.IN_CREATE | pyinotify.IN_DELETE | pyinotify.IN_MOVED_FROM | pyinotify.IN_MOVED_TO
)
"""A name appears in a directory, vanishes from it or changes."""

ATTRIBUTES: Final = pyinotify.IN_ATTRIB
"""Owner, mode or link count of an entry changes."""

CONTENTS: Final = pyinotify.IN_CLOSE_WRITE
"""An entry that was open for writing is closed; in /dev that is every write to /dev/null."""

OVERFLOW: Final = pyinotify.IN_Q_OVERFLOW
"""There were more events than the kernel keeps."""

MOVED: Final = pyinotify.IN_MOVE_SELF
"""The watched directory has another path now."""

GONE: Final = MOVED | pyinotify.IN_DELETE_SELF | pyinotify.IN_UNMOUNT | pyinotify.IN_IGNORED
"""The watched directory is no longer at its path."""

_ALWAYS = MOVED | pyinotify.IN_DELETE_SELF | pyinotify.IN_ONLYDIR
_HEADER = struct.Struct("iIII")


class InotifyDescriptor:
    """One inotify instance; opened by the first watch that is added."""

    def __init__(self) -> None:
        self._manager: pyinotify.WatchManager | None = None
        keep_from_children(self)

    def descriptors(self) -> tuple[int, ...]:
        """See `twistdp.host.children.Owner`."""
        return () if self._manager is None else (self.fileno(),)

    def fileno(self) -> int:
        """Return the descriptor, -1 while there is none."""
        return -1 if self._manager is None else int(self._manager.get_fd())

    def open(self) -> bool:
        """Open it unless it is open already; return whether it was closed.  Raises OSError."""
        if self._manager is not None:
            return False
        with _plain_errors():
            self._manager = pyinotify.WatchManager()
        os.set_blocking(self.fileno(), False)
        os.set_inheritable(self.fileno(), False)
        return True

    def close(self) -> None:
        """Close it, and with it all watches; it is closed even if this raises OSError."""
        manager, self._manager = self._manager, None
        if manager is not None:
            manager.close()

    def add(self, path: str, mask: int) -> int:
        """Watch the directory `path` for the events in `mask` and for its end; return a number.

        Raises OSError; NotADirectoryError for anything but a directory.
        """
        return self._add(path, mask | _ALWAYS | pyinotify.IN_MASK_ADD)

    def drop_contents(self, path: str) -> None:
        """Stop reporting `CONTENTS` of the watched directory `path`, but nothing else."""
        with suppress(OSError):  # it is gone, and the event of that is not read yet
            self._add(path, ENTRIES | ATTRIBUTES | _ALWAYS)

    def _add(self, path: str, mask: int) -> int:
        assert self._manager is not None
        with _plain_errors(), _encodable(path) as encodable:
            added = self._manager.add_watch(encodable, mask, quiet=False)
        return int(next(iter(added.values())))

    def remove(self, number: int) -> None:
        """End a watch."""
        assert self._manager is not None
        # It may be gone, and the event of that not read yet.
        with suppress(pyinotify.WatchManagerError):
            self._manager.rm_watch(number, quiet=False)

    def forget(self, number: int) -> None:
        """Forget a watch that the kernel has ended itself."""
        assert self._manager is not None
        self._manager.del_watch(number)

    def read(self) -> Iterator[tuple[int, int, str]]:
        """Read events: the number, the mask and the entry's name of each."""
        try:
            data = os.read(self.fileno(), 65536)
        except BlockingIOError:
            return iter(())
        return events_in(data)


def events_in(data: bytes) -> Iterator[tuple[int, int, str]]:
    """Yield number, mask and entry's name of each event in data of inotify(7)."""
    offset = 0
    while offset < len(data):
        number, mask, _cookie, length = _HEADER.unpack_from(data, offset)
        offset += _HEADER.size
        name = data[offset : offset + length].rstrip(b"\0")
        offset += length
        yield number, mask, os.fsdecode(name)


def limit(error: OSError) -> str | None:
    """Return the remedy if a limit has made `open` or `add` fail; None for other reasons."""
    if error.errno == errno.ENOSPC:
        return "raise the sysctl fs.inotify.max_user_watches"
    if error.errno == errno.EMFILE:
        # Two limits have the same errno.
        try:
            check_descriptors()
        except OSError:
            return remedy_for(error)
        return "raise the sysctl fs.inotify.max_user_instances"
    return remedy_for(error)


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except (OSError, pyinotify.WatchManagerError) as error:
        name = str(error).rpartition("(")[2].rstrip(")")  # "... (ENOSPC)"
        number: Any = getattr(error, "errno", None) or getattr(errno, name, errno.EIO)
        raise OSError(number, os.strerror(number)) from error


@contextmanager
def _encodable(path: str) -> Iterator[str]:
    """Yield a path to the same place that is UTF-8, as pyinotify insists."""
    try:
        path.encode()
    except UnicodeEncodeError:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        yield path
