"""Logging as Kubernetes components do it: severities, levels and fields, on twisted.logger.

    from twistdp import klog

    klog.info("camera found", path="/dev/video0", channels=2)
    klog.V(4).info("frame read", size=len(frame))

Messages are logged as they are, braces included; values that vary go into fields.  Every function
may be called in any thread and never raises.  Events of `twisted.logger.Logger` and of Python's
`logging` appear in the same form, and every Twisted log observer gets the events of this module.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from types import FrameType
from typing import Any

from twisted.logger import Logger, LogLevel, globalLogPublisher
from twisted.python.failure import Failure

__all__ = [
    "V",
    "Verbose",
    "composed",
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
"""The level of twisted.logger's debug events, for developers who follow the traffic."""

RESERVED = frozenset({"message", "format", "time", "system", "isError", "failure", "why"})
"""Keys that Twisted's observers claim: a field with such a name gets the prefix ``_``."""

_log = Logger()
_level = 0
_patterns: tuple[tuple[str, int], ...] = ()
_levels_of_files: dict[str, int] = {}


def info(msg: str, /, **fields: object) -> None:
    """Log something that an operator should know when all is well."""
    _log_event(LogLevel.info, msg, fields)


def composed(
    text: str, constant: str, facts: Callable[[], Mapping[str, object]], /, **fields: object
) -> None:
    """Log a `text` that has values in it, as `info` does; a JSON log has `constant` and `facts`.

    For what is logged for each pod: an event of twisted.logger costs half as much again.
    """
    _log_event(LogLevel.info, text, fields, log_constant=constant, log_facts=facts)


def warning(msg: str, /, **fields: object) -> None:
    """Log something that may need an operator's attention."""
    _log_event(LogLevel.warn, msg, fields)


def error(msg: str, /, **fields: object) -> None:
    """Log a failure.  Pass an exception that explains it as the field ``err``."""
    _log_event(LogLevel.error, msg, fields)


def failure(msg: str, why: Failure | None = None, /, **fields: object) -> None:
    """Log an error with the traceback of `why`, or of the exception being handled."""
    if why is None and sys.exc_info()[1] is not None:
        why = Failure()
    if why is None:
        _log_event(LogLevel.error, msg, fields)
    else:
        _log_event(LogLevel.critical, msg, fields, log_failure=why)


def fatal(msg: str, /, **fields: object) -> None:
    """Log, with severity F, why this process is about to end; the caller has to end it."""
    _log_event(LogLevel.critical, msg, fields, log_severity="F")


class Verbose:
    """The logger that `V` returns; true if its level is shown."""

    __slots__ = ("_level",)

    def __init__(self, level: int) -> None:
        self._level = level

    def __bool__(self) -> bool:
        return True

    def info(self, msg: str, /, **fields: object) -> None:
        """Log `msg` if the level is shown."""
        _log_event(LogLevel.info, msg, fields, log_v=self._level)


class _Silent(Verbose):
    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def info(self, msg: str, /, **fields: object) -> None:
        """Do nothing."""


_SILENT = _Silent(0)


def V(level: int, /) -> Verbose:
    """Return a logger for messages of `level`; level 0 is always shown.

    ``-v`` decides which levels are shown, or ``--vmodule`` for the file of the caller.  Call `V`
    each time, since the level may change; a level that is not shown costs a fraction of a
    microsecond.  Compute expensive fields behind ``if klog.V(4):``.
    """
    if level <= _level:
        return Verbose(level)
    if _patterns and shown(level, sys._getframe(1).f_code.co_filename):
        return Verbose(level)
    return _SILENT


def level() -> int:
    """Return the level up to which messages of all files are shown; 0 unless it was set."""
    return _level


def set_level(level: int) -> None:
    """Show messages up to `level` from now on; less than 0 counts as 0."""
    global _level
    _level = max(0, level)


def set_vmodule(text: str) -> None:
    """Replace the levels of single files; `text` is as for `parse_vmodule`."""
    global _patterns
    _patterns = parse_vmodule(text)
    _levels_of_files.clear()


def parse_vmodule(text: str) -> tuple[tuple[str, int], ...]:
    """Return the patterns and levels in ``pattern=N``; commas separate several.

    A pattern is a file's name without directory and ``.py``, with ``*``, ``?`` and ``[...]``;
    the first one that matches decides.  Raises ValueError for other text.
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
    """Return the level that `text` names; raises ValueError unless it is a whole number from 0."""
    # Go's flags accept less than int() does.
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
    """Hand one event to all observers; `caller` is the file and line that log it."""
    if fields and any(key in RESERVED or key.startswith("log_") for key in fields):
        fields = {_free(key): value for key, value in fields.items()}
    # Logger.emit has parameters of its own, and a field may have the name of one.
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


def _log_event(log_level: Any, msg: str, fields: Mapping[str, object], **event: object) -> None:
    # The caller of our caller logs.
    frame: FrameType = sys._getframe(2)
    publish(
        log_level,
        msg,
        (frame.f_code.co_filename, frame.f_lineno),
        fields,
        namespace=frame.f_globals.get("__name__", "klog"),
        **event,
    )
