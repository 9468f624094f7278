"""Writing to what may be full: a pipe or terminal that nobody reads, a file on a full disk."""

import errno
import os
import select
from contextlib import suppress
from typing import Any

from twisted.python.logfile import LogFile
from twisted.python.threadable import synchronize

from twistdp.descriptors import Reserve

PATIENCE = 0.1
"""Seconds that a reader, who has read all so far, is waited for."""

_PIECE = select.PIPE_BUF
"""So much can be written without waiting to a pipe or socket that has room at all."""


class Pipe:
    """Writes to a descriptor whose reader may be slow, or never read again.

    It is left as it is: made non-blocking, it would be so for all processes that share it.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        self._patience = PATIENCE
        self._torn = False

    def write(self, data: bytes) -> None:
        """Write a line; raises BlockingIOError when nobody makes room for it, OSError for errors.

        Waits for a short time only, and then not again before there is room.  A line that was
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


class RotatingFile(LogFile):
    """Twisted's, for disks that may be full and processes that may have no descriptor left.

    A line is there as a whole or not at all.  A rotation that fails is tried again with the next
    line, which goes to the file that there is.  It has the `reserve`, since it would overwrite old
    files that it cannot list.
    """

    def __init__(self, name: str, directory: str, mode: int | None, reserve: Reserve) -> None:
        super().__init__(name, directory, defaultMode=mode)
        self._reserve = reserve

    def write(self, data: bytes) -> None:
        """Append; raises OSError, and then the file is as it was."""
        if self._file.closed:
            self._openFile()
        if self.shouldRotate():
            with suppress(OSError):
                self.rotate()
        written = self._file.write(data)
        if written < len(data):
            with suppress(OSError):
                self._file.truncate(self.size)
            self._file.seek(0, os.SEEK_END)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.size += written

    def rotate(self) -> Any:
        """Rename the file and begin another; raises OSError."""
        with self._reserve.spent():
            try:
                super().rotate()
            finally:
                if self._file.closed:
                    self._openFile()


synchronize(RotatingFile)
