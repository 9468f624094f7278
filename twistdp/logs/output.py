"""Where log lines go: a stream, a file that rotates, or syslog.

The log must not stop the work that it tells of.  What cannot be written, because a disk is full or
nobody reads a pipe, is lost, and how much was lost is the next thing that is written.
"""

import os
import syslog
from collections.abc import Callable
from contextlib import suppress
from threading import RLock
from typing import Any, Protocol

from twisted.logger import ILogObserver
from zope.interface import implementer

from twistdp.descriptors import Reserve
from twistdp.klog import shown
from twistdp.logs.files import Pipe, RotatingFile
from twistdp.logs.record import Record, caller_of, complaint, level_of, lost, record_of
from twistdp.trust import check_path

PRIORITIES = {
    "I": syslog.LOG_INFO,
    "W": syslog.LOG_WARNING,
    "E": syslog.LOG_ERR,
    "F": syslog.LOG_CRIT,
}


class Output(Protocol):
    """Takes what is to be logged."""

    def write(self, severity: str, text: str) -> None:
        """Take one event's lines; raises OSError or ValueError if they are lost."""


class StreamOutput:
    """Writes to a text stream, standard output usually; nothing stays in its buffer.

    Its encoding is used, and nothing is waited for that may never come: see `Pipe`.  With
    `priorities` each line begins with its event's, as ``<4>``, which the journal takes off again;
    see sd-daemon(3).
    """

    def __init__(self, stream: Any, *, priorities: bool = False) -> None:
        self._priorities = priorities
        stream.flush()  # what was said before comes first
        self._encoding = stream.encoding
        self._pipe = Pipe(stream.fileno())

    def write(self, severity: str, text: str) -> None:
        """See `Output`."""
        if self._priorities:
            text = "\n".join(f"<{PRIORITIES[severity]}>{line}" for line in text.split("\n"))
        self._pipe.write(f"{text}\n".encode(self._encoding, "backslashreplace"))


def is_journal(fd: int) -> bool:
    """Whether the descriptor `fd` leads to systemd's journal: JOURNAL_STREAM in systemd.exec(5)."""
    found = os.fstat(fd)
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


class FileOutput:
    """Writes to the file `path`.

    A file that does not exist is made, and made again by every rotation, with the mode that
    `umask` leaves; None means the process's umask when it is opened.
    """

    def __init__(self, path: str, umask: int | None = None, reserve: Reserve | None = None) -> None:
        self.path = os.path.abspath(path)
        self._umask = umask
        self._reserve = reserve or Reserve()
        self._file: RotatingFile | None = None

    def open(self) -> None:
        """Open the file.  Raises OSError, and `Untrusted` for a link of somebody else's.

        To be done when twistd would do it: before it forks, changes its directory or gives up
        its rights, and while what is wrong can still be told on stderr.
        """
        if os.path.islink(self.path):  # as to /dev/stdout; where others may write, to anything
            with suppress(FileNotFoundError):
                check_path(self.path)
        mode = None
        if not os.path.exists(self.path):
            if self._umask is None:  # which cannot be read without being changed for a moment
                os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))
            else:
                mode = 0o666 & ~self._umask
        directory, name = os.path.split(self.path)
        self._file = RotatingFile(name, directory, mode, self._reserve)

    def write(self, severity: str, text: str) -> None:
        """See `Output`."""
        if self._file is not None:
            self._file.write(f"{text}\n".encode("utf-8", "backslashreplace"))

    def rotate(self) -> None:
        """Rename the file to one that ends in ``.1``, older ones to ``.2`` and so on."""
        if self._file is not None:
            self._file.rotate()

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            self._file.close()
            self._file = None


class SyslogOutput:
    """Writes to syslog; an event's severity is the priority of its lines."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._opened = False

    def write(self, severity: str, text: str) -> None:
        """See `Output`."""
        if not self._opened:
            syslog.openlog(self._prefix, 0, syslog.LOG_USER)
            self._opened = True
        for line in text.splitlines():
            syslog.syslog(PRIORITIES[severity], line.encode("utf-8", "backslashreplace").decode())


@implementer(ILogObserver)
class Observer:
    """Writes those events to `output` that the level allows, in a `form`; never raises.

    May be called in any thread.
    """

    def __init__(self, output: Output, form: Callable[[Record], str]) -> None:
        self._output = output
        self._form = form
        self._lock = RLock()
        self._lost = 0
        self._why = ""

    def __call__(self, event: dict[str, Any]) -> None:
        """Take one event."""
        try:
            caller = caller_of(event)
            level = level_of(event)
            if level and not shown(level, caller[0]):
                return
            record = record_of(event, caller)
            if record is None:
                return
            severity, text = record.severity, self._form(record)
        except Exception as error:
            record = complaint(error)
            severity, text = record.severity, self._form(record)
        with self._lock:
            self._write(severity, text)

    def _write(self, severity: str, text: str) -> None:
        try:
            if self._lost:
                record = lost(self._lost, self._why)
                self._output.write(record.severity, self._form(record))
                self._lost = 0
            self._output.write(severity, text)
        except (OSError, ValueError) as error:
            self._lost += 1
            self._why = getattr(error, "strerror", None) or str(error)
