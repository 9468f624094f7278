"""Where log lines go: a stream, which may be the journal's, or a file.

The log must not stop the work that it reports.  Lines that cannot be written, because a disk is
full or nobody reads a pipe, are lost; the next line that can be written reports how many.
"""

import os
from collections.abc import Callable
from threading import RLock
from typing import Any, Protocol

from twisted.logger import ILogObserver
from zope.interface import implementer

from twistdp.klog import shown
from twistdp.logs.files import Pipe
from twistdp.logs.record import Record, caller_of, complaint, level_of, lost, record_of

PRIORITIES = {"I": 6, "W": 4, "E": 3, "F": 2}
"""The priority of each severity, as in sd-daemon(3)."""


class Output(Protocol):
    """Takes what is to be logged."""

    def write(self, severity: str, text: str) -> None:
        """Take one event's lines; raises OSError or ValueError if they are lost."""


class StreamOutput:
    """Writes to a text stream, usually standard output, in its encoding; see `Pipe`.

    With `priorities` each line begins with its event's, as ``<4>``, which the journal removes
    again; see sd-daemon(3).
    """

    def __init__(self, stream: Any, *, priorities: bool = False) -> None:
        self._priorities = priorities
        stream.flush()  # what was written before comes first
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


@implementer(ILogObserver)
class Observer:
    """Writes the events that the level allows to `output`, in a `form`; never raises.

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
