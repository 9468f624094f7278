"""Takes log events apart, whichever way they were made."""

import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from string import Formatter
from types import FrameType
from typing import Any, NamedTuple

from twisted.logger import LogLevel, formatEvent
from twisted.python.failure import Failure

from twistdp.klog import DEBUG, RESERVED

UNKNOWN = "???"
"""The file of an event of unknown origin."""

SEVERITIES = {
    LogLevel.debug: "I",
    LogLevel.info: "I",
    LogLevel.warn: "W",
    LogLevel.error: "E",
    # Not F, which means that the process ends: an unexpected failure does not end this one.
    LogLevel.critical: "E",
}

# Twisted's own, of events made with twisted.python.log, and of lost failures.
_NO_FIELDS = RESERVED | {"logLevel", "debugInfo"}

_QUIET = (
    "twistd {version} ({exe} {pyVersion}) starting up.",
    "reactor class: {reactor}.",
)
"""Events of twistd's whose facts are in the service's own first line, or concern developers."""

_INSIDE = (
    "twisted.logger",
    "twisted.python.log",
    "twisted.python.threadable",
    "logging",
    "warnings",
    "twistdp.klog",
    "twistdp.logs.bridge",
    "twistdp.logs.output",
    __name__,
)


class Record(NamedTuple):
    """One event, taken apart."""

    severity: str
    """``I``, ``W``, ``E`` or ``F``."""
    seconds: float
    """When, since the epoch."""
    thread: int
    """Native id of the thread that logged it."""
    file: str
    """Base name of the source file that logged it."""
    line: int
    """Line in it."""
    v: int
    """Level of verbosity."""
    text: str
    """The message, of one or more lines."""
    fields: Mapping[str, Any]
    """The event's values that are not in the message."""
    used: Mapping[str, Any]
    """The event's values that are in the message."""
    error: str | None = None
    """Type and message of the exception, if there is one."""
    traceback: str | None = None
    """Its traceback."""
    constant: str = ""
    """The message without its values, the same for each event of its kind; empty if all of it is
    a value."""
    facts: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None
    """The values in the message for programs, if they are not those in `used`, or what makes
    them."""


def caller_of(event: dict[str, Any]) -> tuple[str, int]:
    """File and line that made `event`, which is being published right now."""
    known = event.get("log_caller")
    if isinstance(known, tuple):
        return known
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        filename = frame.f_code.co_filename
        if not _inside(filename, frame.f_globals.get("__name__", "")):
            return filename, frame.f_lineno
        if frame.f_code.co_name == "replayTo":
            break  # made before logging began, not on this stack
        frame = frame.f_back
    return UNKNOWN, 1


@lru_cache(4096)
def _inside(filename: str, module: str) -> bool:
    """Whether frames of a module only pass events on."""
    return any(module == name or module.startswith(f"{name}.") for name in _INSIDE)


def level_of(event: dict[str, Any]) -> int:
    """The level of verbosity at which `event` is shown."""
    if event.get("log_level") is LogLevel.debug or event.get("log_format") in _QUIET:
        return DEBUG
    return 0


def record_of(event: dict[str, Any], caller: tuple[str, int]) -> Record | None:
    """The record of `event`, made by `caller`; None if it is empty.  Never raises."""
    why = event.get("log_failure")
    if why is None and event.get("isError"):
        why = event.get("failure")
    text = _text_of(event, why)
    form, old = event.get("log_format"), event.get("format")
    in_text, beside = _parted(
        form if isinstance(form, str) else "", old if isinstance(old, str) else "", tuple(event)
    )
    # Each line of the log comes through here: even an empty comprehension costs time.
    fields = {key: event[key] for key in beside} if beside else {}
    used = {key: event[key] for key in in_text} if in_text else {}
    if not text and not fields and why is None:
        return None
    return Record(
        event.get("log_severity") or SEVERITIES.get(event.get("log_level"), "I"),
        event.get("log_time") or time.time(),
        threading.get_native_id(),
        caller[0].rpartition("/")[2],
        caller[1],
        event.get("log_v") or level_of(event),
        text,
        fields,
        used,
        None if why is None else error_text(why.value if isinstance(why, Failure) else why),
        None if why is None else _traceback(why),
        _constant_of(event),
        event.get("log_facts"),
    )


def complaint(error: Exception) -> Record:
    """Stands for an event that cannot be made a record or a line."""
    text = f"an event cannot be shown: {error_text(error)}"
    return Record("E", time.time(), threading.get_native_id(), UNKNOWN, 1, 0, text, {}, {})


def lost(count: int, why: str) -> Record:
    """Stands for events that could not be written."""
    text = f"{count} message{'' if count == 1 else 's'} of this log could not be written: {why}"
    return Record("W", time.time(), threading.get_native_id(), UNKNOWN, 1, 0, text, {}, {})


def plain(found: object) -> str:
    """`found` as text, whatever its ``__str__`` does."""
    try:
        return str(found)
    except Exception as error:
        return f"<{type(found).__name__} whose text raises {type(error).__name__}>"


def error_text(error: object) -> str:
    """Type and message of an exception: some messages mean nothing alone."""
    text = plain(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _text_of(event: dict[str, Any], why: Any) -> str:
    if event.get("log_namespace") == "log_legacy" and why is not None:
        # Its text has the traceback in it.
        return plain(event.get("why") or "Unhandled Error")
    form = event.get("log_format")
    if form == "{log_text}":
        return plain(event.get("log_text", ""))
    if isinstance(form, str) and "log_flattened" not in event:
        with suppress(Exception):
            return form.format_map(event)  # takes a tenth of the time
    return formatEvent(event)  # knows more: calls, bytes, events that were saved


def _constant_of(event: dict[str, Any]) -> str:
    if isinstance(known := event.get("log_constant"), str):
        return known
    form = event.get("log_format")
    return _without_values(form) if isinstance(form, str) else ""


@lru_cache(1024)
def _without_values(form: str) -> str:
    """A format string with … for each value; empty if nothing but values has letters."""
    try:
        parts = [
            literal + ("" if name is None else "…") for literal, name, *_ in Formatter().parse(form)
        ]
    except ValueError:
        return ""
    text = "".join(parts)
    if not re.search(r"[^\W\d_]", text):
        return ""
    return re.sub("…+", "…", text)


def _traceback(why: Any) -> str:
    try:
        return str(why.getTraceback()).rstrip()
    except Exception as error:
        return f"no traceback: {error_text(error)}"


@lru_cache(1024)
def _parted(form: str, percent_form: str, keys: tuple[object, ...]) -> tuple[list[str], list[str]]:
    """Part the keys of an event that are its own: those in its message, and the others."""
    names = _names(form) | _percent_names(percent_form)
    texts = [key for key in keys if isinstance(key, str)]  # others are no names
    own = [key for key in texts if key[:4] != "log_" and key not in _NO_FIELDS]
    return [key for key in own if key in names], [key for key in own if key not in names]


def _names(form: str) -> frozenset[str]:
    """The keys that a format string uses."""
    found: set[str] = set()
    try:
        for _, name, specification, _ in Formatter().parse(form):
            if name is not None:
                found.add(re.split(r"[.\[(]", name, maxsplit=1)[0])
                found |= _names(specification or "")
    except ValueError:
        pass
    return frozenset(found)


def _percent_names(form: str) -> frozenset[str]:
    """The keys that a format string of twisted.python.log uses."""
    return frozenset(re.findall(r"%\((.*?)\)", form))
