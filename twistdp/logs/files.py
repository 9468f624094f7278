"""Writes to pipes and terminals that nobody may read, and to files on disks that may be full."""

import errno
import os
import select
import stat
from contextlib import suppress

from twistdp.errors import Untrusted
from twistdp.host import check_ownership

PATIENCE = 0.1
"""Seconds to wait for a reader that has read everything so far."""

_PIECE = select.PIPE_BUF
"""Bytes that a pipe or socket with any room takes without waiting."""


class Pipe:
    """Writes to a descriptor whose reader may be slow, or never read again.

    The descriptor stays blocking: all processes that share it would see the change.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        self._patience = PATIENCE
        self._torn = False

    def write(self, data: bytes) -> None:
        """Write a line; raises BlockingIOError if nobody reads, and OSError for other errors.

        Waits `PATIENCE` seconds, and then not at all until there is room again.  A line that was
        cut short is ended before the next one.
        """
        rest = memoryview(b"\n" + data if self._torn else data)
        begun = False
        try:
            while rest:
                if not self._poll.poll(self._patience * 1000):
                    self._patience = 0.0
                    raise BlockingIOError(errno.EAGAIN, "nobody reads it")
                rest = rest[os.write(self._fd, rest[:_PIECE]) :]
                begun = True
        except OSError:
            self._torn = self._torn or begun
            raise
        self._torn = False
        self._patience = PATIENCE


class FileOutput:
    """An `Output` that appends to the regular file or character device `path`.

    Only root and our own user may control what `path` leads to: `twistdp.host.trust` checks its
    directories, which may be links; the file itself may not be one, has a single name, and belongs
    to root or to us.  A file that does not exist is made with the mode that `umask` leaves; None
    means the process's umask.  Others may truncate the file at any time.
    """

    def __init__(self, path: str, umask: int | None = None) -> None:
        self.path = os.path.abspath(path)
        self._umask = umask
        self._fd = -1

    def open(self) -> None:
        """Open the file; raises OSError if that fails, and `Untrusted`.

        To be called when twistd would do it: before it forks, changes its directory or drops its
        rights, and while errors can still be reported on stderr.
        """
        flags = _APPENDING
        check_ownership(os.path.dirname(self.path))
        if not os.path.lexists(self.path):
            flags |= os.O_CREAT | os.O_EXCL  # fails if another user makes it first
        try:
            self._fd = os.open(self.path, flags, 0o666)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise _refused(self.path, "a link") from None
            raise
        try:
            _check_opened(self._fd, self.path)
            if flags & os.O_CREAT and self._umask is not None:
                os.fchmod(self._fd, 0o666 & ~self._umask)
        except BaseException:
            self.close()
            raise

    def write(self, severity: str, text: str) -> None:
        """See `Output`; if it raises OSError, the file is as it was.  Does nothing unless open."""
        if self._fd < 0:
            return
        data = f"{text}\n".encode("utf-8", "backslashreplace")
        written = os.write(self._fd, data)
        if written < len(data):
            with suppress(OSError):
                os.ftruncate(self._fd, max(0, os.fstat(self._fd).st_size - written))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Write no more."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


_APPENDING = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def _check_opened(fd: int, path: str) -> None:
    found = os.fstat(fd)
    if found.st_uid not in (0, os.geteuid()):
        raise _refused(path, f"user {found.st_uid}'s")
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISCHR(found.st_mode)):
        raise _refused(path, "neither a regular file nor a character device")
    if found.st_nlink > 1:
        raise _refused(path, "a file that has another name too")


def _refused(path: str, what: str) -> Untrusted:
    return Untrusted(path, f"it is {what}", "name another log file, or remove it")
