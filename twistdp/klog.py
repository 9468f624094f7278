"""Logging as Kubernetes components do it: severities, levels and fields, on twisted.logger.

    from twistdp import klog

    klog.info("camera found", path="/dev/video0", channels=2)
    klog.V(4).info("frame read", size=len(frame))

Messages are taken as they are, braces included; what varies goes into fields.  Every function
may be called in any thread and never raises.  Events of `twisted.logger.Logger` and of Python's
`logging` come out in the same form, and what is said here reaches every Twisted log observer.
"""

import os
import sys
import time
from collections.abc import Mapping
from fnmatch import fnmatchcase
from types import FrameType
from typing import Any

from twisted.logger import Logger, LogLevel, globalLogPublisher
from twisted.python.failure import Failure

__all__ = [
    "V",
    "Verbose",
    "error",
    "failure",
    "fatal",
    "info",
    "level",
    "parse_level",
    "parse_vmodule",
    "set_level",
    "set_vmodule",
    "warning",
]

DEBUG = 4
"""The level of twisted.logger's debug events: that of a developer who follows the traffic."""

RESERVED = frozenset({"message", "format", "time", "system", "isError", "failure", "why"})
"""Keys that Twisted's observers claim; a field of such a name gets a ``_`` before it."""

_log = Logger()
_level = 0
_patterns: tuple[tuple[str, int], ...] = ()
_levels_of_files: dict[str, int] = {}


def info(msg: str, /, **fields: object) -> None:
    """Log what an operator should know when all is well."""
    _say(LogLevel.info, msg, fields)


def warning(msg: str, /, **fields: object) -> None:
    """Log what may need an operator's attention."""
    _say(LogLevel.warn, msg, fields)


def error(msg: str, /, **fields: object) -> None:
    """Log what has failed.  An exception that tells why goes into the field ``err``."""
    _say(LogLevel.error, msg, fields)


def failure(msg: str, why: Failure | None = None, /, **fields: object) -> None:
    """Log an error with its traceback: that of `why`, or of the exception that is handled."""
    if why is None and sys.exc_info()[1] is not None:
        why = Failure()
    if why is None:
        _say(LogLevel.error, msg, fields)
    else:
        _say(LogLevel.critical, msg, fields, log_failure=why)


def fatal(msg: str, /, **fields: object) -> None:
    """Log, with severity F, why this process is about to end; to end it is the caller's."""
    _say(LogLevel.critical, msg, fields, log_severity="F")


class Verbose:
    """What `V` returns: true when its level is shown, with a method that then logs."""

    __slots__ = ("_level",)

    def __init__(self, level: int) -> None:
        self._level = level

    def __bool__(self) -> bool:
        return True

    def info(self, msg: str, /, **fields: object) -> None:
        """Log `msg` if the level is shown."""
        _say(LogLevel.info, msg, fields, log_v=self._level)


class _Silent(Verbose):
    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def info(self, msg: str, /, **fields: object) -> None:
        """Do nothing."""


_SILENT = _Silent(0)


def V(level: int, /) -> Verbose:
    """A logger for messages of `level`, of which 0 is always shown and higher ones seldom.

    Shown is what ``-v`` allows, or ``--vmodule`` for the file of the caller.  Ask anew each
    time, since the level may change; a level that is not shown costs a fraction of a
    microsecond.  Fields that are dear to compute go behind ``if klog.V(4):``.
    """
    if level <= _level:
        return Verbose(level)
    if _patterns and shown(level, sys._getframe(1).f_code.co_filename):
        return Verbose(level)
    return _SILENT


def level() -> int:
    """The level up to which messages of all files are shown; 0 unless it was set."""
    return _level


def set_level(level: int) -> None:
    """Show messages up to `level` from now on; less than 0 counts as 0."""
    global _level
    _level = max(0, level)


def set_vmodule(text: str) -> None:
    """Set levels of single files, see `parse_vmodule`; instead of those that were set before."""
    global _patterns
    _patterns = parse_vmodule(text)
    _levels_of_files.clear()


def parse_vmodule(text: str) -> tuple[tuple[str, int], ...]:
    """Patterns and levels of ``pattern=N``, several separated by commas.

    A pattern is a file's name without directory and ``.py``, with ``*``, ``?`` and ``[...]``;
    the first one that matches counts.  Raises ValueError for other text.
    """
    parsed = []
    for part in filter(None, text.split(",")):
        pattern, _, number = part.partition("=")
        try:
            parsed.append((pattern, parse_level(number)))
        except ValueError:
            pattern = ""
        if not pattern:
            raise ValueError(f"{part}: write it as pattern=N, several separated by commas")
    return tuple(parsed)


def parse_level(text: str) -> int:
    """The level that `text` names.  Raises ValueError unless it is a whole number from 0 on."""
    # Only what Go's flags take, which is less than what int() does.
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{text}: give a whole number, 0 or more")
    return int(text)


def shown(level: int, filename: str) -> bool:
    """Whether messages of `level` from the source file `filename` are shown."""
    if level <= _level:
        return True
    if not _patterns:
        return False
    found = _levels_of_files.get(filename)
    if found is None:
        name = os.path.basename(filename).removesuffix(".py")
        found = next((number for glob, number in _patterns if fnmatchcase(name, glob)), 0)
        _levels_of_files[filename] = found
    return level <= found


def publish(
    log_level: Any,
    msg: str,
    caller: tuple[str, int],
    fields: Mapping[str, object],
    *,
    namespace: str,
    **event: object,
) -> None:
    """Hand one event to all observers; `caller` is the file and the line that speak."""
    if not RESERVED.isdisjoint(fields) or any(key.startswith("log_") for key in fields):
        fields = {_free(key): value for key, value in fields.items()}
    # Not by Logger.emit, which has parameters of its own that a field may be called like.
    globalLogPublisher(
        {
            **fields,
            "log_logger": _log,
            "log_source": None,
            "log_time": time.time(),
            "log_level": log_level,
            "log_namespace": namespace,
            "log_format": "{log_text}",
            "log_text": msg,
            "log_caller": caller,
            **event,
        }
    )


def _free(key: str) -> str:
    return f"_{key}" if key in RESERVED or key.startswith("log_") else key


def _say(log_level: Any, msg: str, fields: Mapping[str, object], **event: object) -> None:
    # The function that calls this one is called by the one that speaks.
    frame: FrameType = sys._getframe(2)
    publish(
        log_level,
        msg,
        (frame.f_code.co_filename, frame.f_lineno),
        fields,
        namespace=frame.f_globals.get("__name__", "klog"),
        **event,
    )
