"""The kernel's side of inotify: a descriptor, its watches and events, and its limits.

pyinotify has the system calls.  Its own reader and errors are not used: the one raises on a name
that is not UTF-8, and the others have their errno only in their text.
"""

import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import pyinotify

from twistdp.host import check_descriptors, keep_from_children, remedy_for

# pyinotify writes its log to stderr by itself; its messages go where all logs go.
pyinotify.log.handlers.clear()

ENTRIES: Final = (
    pyinotify.IN_CREATE | pyinotify.IN_DELETE | pyinotify.IN_MOVED_FROM | pyinotify.IN_MOVED_TO
)
"""Names appear in a directory, vanish from it or are renamed."""

ATTRIBUTES: Final = pyinotify.IN_ATTRIB
"""Owner, mode or link count of an entry changes."""

CONTENTS: Final = pyinotify.IN_CLOSE_WRITE
"""An entry that was open for writing is closed; in /dev that is every write to /dev/null."""

OVERFLOW: Final = pyinotify.IN_Q_OVERFLOW
"""There were more events than the kernel keeps."""

MOVED: Final = pyinotify.IN_MOVE_SELF
"""The watched directory has another path now."""

GONE: Final = MOVED | pyinotify.IN_DELETE_SELF | pyinotify.IN_UNMOUNT | pyinotify.IN_IGNORED
"""What was watched is not at its path any more."""

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
        """The descriptor, -1 while there is none."""
        return -1 if self._manager is None else int(self._manager.get_fd())

    def open(self) -> bool:
        """Open it, if it is not open; whether it was not.  Raises OSError."""
        if self._manager is not None:
            return False
        with _plain_errors():
            self._manager = pyinotify.WatchManager()
        os.set_blocking(self.fileno(), False)
        os.set_inheritable(self.fileno(), False)
        return True

    def close(self) -> None:
        """Close it, and with it all watches; it is closed also when this raises OSError."""
        manager, self._manager = self._manager, None
        if manager is not None:
            manager.close()

    def add(self, path: str, mask: int) -> int:
        """Watch the directory `path` for what `mask` says and for its end; the watch's number.

        Raises OSError; NotADirectoryError for anything else than a directory.
        """
        return self._add(path, mask | _ALWAYS | pyinotify.IN_MASK_ADD)

    def drop_contents(self, path: str) -> None:
        """Report no `CONTENTS` of the watched directory `path` any more, but all else."""
        with suppress(OSError):  # gone, and the event that tells so not read yet
            self._add(path, ENTRIES | ATTRIBUTES | _ALWAYS)

    def _add(self, path: str, mask: int) -> int:
        assert self._manager is not None
        with _plain_errors(), _encodable(path) as encodable:
            added = self._manager.add_watch(encodable, mask, quiet=False)
        return int(next(iter(added.values())))

    def remove(self, number: int) -> None:
        """End a watch."""
        assert self._manager is not None
        # It may be gone already, and the event that tells so not read yet.
        with suppress(pyinotify.WatchManagerError):
            self._manager.rm_watch(number, quiet=False)

    def forget(self, number: int) -> None:
        """The kernel itself has ended a watch."""
        assert self._manager is not None
        self._manager.del_watch(number)

    def read(self) -> Iterator[tuple[int, int, str]]:
        """What is there to be read: number, mask and entry's name of each event."""
        try:
            data = os.read(self.fileno(), 65536)
        except BlockingIOError:
            return iter(())
        return events_in(data)


def events_in(data: bytes) -> Iterator[tuple[int, int, str]]:
    """Number, mask and entry's name of each event of inotify(7) in what the kernel has given."""
    offset = 0
    while offset < len(data):
        number, mask, _cookie, length = _HEADER.unpack_from(data, offset)
        offset += _HEADER.size
        name = data[offset : offset + length].rstrip(b"\0")
        offset += length
        yield number, mask, os.fsdecode(name)


def limit(error: OSError) -> str | None:
    """What mends it where a limit has made `open` or `add` fail; None for other reasons."""
    if error.errno == errno.ENOSPC:
        return "raise the sysctl fs.inotify.max_user_watches"
    if error.errno == errno.EMFILE:
        # One errno for two limits.
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
    """A path that means the same and is UTF-8, which pyinotify insists on."""
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
