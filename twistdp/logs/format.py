"""Formats a log record as klog's text, or as a JSON line of a Kubernetes component."""

import json
import re
import time
from functools import lru_cache
from typing import Any

from twistdp.logs.record import Record, error_text, plain
from twistdp.model import escape, printable

_STANDARD = {"ts", "caller", "msg", "v", "stacktrace"}


def as_text(record: Record, *, headers: bool = True) -> str:
    """Lines as klog writes them, without the last line's end.

    The first one is ``Lmmdd hh:mm:ss.uuuuuu threadid file:line] message key="value"``.  Further
    lines of the message, and those of a traceback, begin with a tab.
    """
    start = header(record) if headers else ""
    if not record.fields and record.error is None and record.text.isprintable():
        return start + record.text
    first, *more = record.text.rstrip("\n").split("\n")
    parts = [printable(first)] if first else []
    parts += [f"{printable(key)}={value(found)}" for key, found in record.fields.items()]
    if record.error is not None:
        parts.append(f"err={quote(record.error)}")
    lines = [start + " ".join(parts)]
    if record.traceback is not None:
        more += record.traceback.split("\n")
    lines += [f"\t{printable(line)}" for line in more]
    return "\n".join(lines)


def header(record: Record) -> str:
    """Severity, local time, thread, file and line."""
    second, microsecond = divmod(int(record.seconds * 1_000_000), 1_000_000)
    origin = _origin(record.thread, record.file, record.line)
    return f"{record.severity}{_stamp(second)}.{microsecond:06d} {origin}"


def value(found: object) -> str:
    """The value of a field as klog writes it; never raises."""
    if isinstance(found, str):
        return quote(found)
    try:
        if found is None:
            return "<nil>"
        if isinstance(found, bool):
            return "true" if found else "false"
        if isinstance(found, int):
            return int.__repr__(found)
        if isinstance(found, float):
            return float.__repr__(found)
        if isinstance(found, bytes):
            return quote(found.decode("utf-8", "surrogateescape"))
        if isinstance(found, dict | list | tuple | set | frozenset):
            return printable(_dumps(found))
    except Exception:
        return quote(_any_text(found))
    return quote(_any_text(found))


def quote(text: str) -> str:
    """`text` in double quotes, with the escapes of Go's strconv.Quote."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + re.sub(r"[^ !#-\[\]-~]", escape, text) + '"'


def as_json(record: Record) -> str:
    """A JSON object in one line, without its end; ``ts`` is in milliseconds.

    The message is a constant text, with … for what varies, and the values are fields.
    """
    standard: dict[str, object] = {
        "ts": round(record.seconds * 1000, 3),
        "caller": f"{record.file}:{record.line}",
        "msg": record.constant or record.text,
    }
    if record.severity in "IW":
        standard["v"] = record.v
    taken = _STANDARD if record.error is None else {*_STANDARD, "err"}
    in_message = record.facts() if callable(record.facts) else record.facts
    if in_message is None:
        in_message = {
            _camel(key): found
            for key, found in record.used.items()
            if isinstance(found, str | int | float) and found not in ("", standard["msg"])
        }
    for key, found in (*in_message.items(), *record.fields.items()):
        standard[f"{key}_" if key in taken else key] = found
    if record.error is not None:
        standard["err"] = record.error
        standard["stacktrace"] = record.traceback
    try:
        text = _dumps(standard)
    except Exception:
        # One field that JSON cannot express must not cost the others.
        text = _dumps({key: _expressible(found) for key, found in standard.items()})
    return text if text.isprintable() else "".join(map(_json_escape, text))


@lru_cache(1024)
def _camel(key: str) -> str:
    """A name as Kubernetes writes keys, such as ``resourceType``."""
    return re.sub("(?<=.)_([a-z0-9])", lambda found: found[1].upper(), key)


def _json_escape(character: str) -> str:
    """Escape what JSON allows but may control a terminal: see `twistdp.model.text`."""
    return character if character.isprintable() else json.dumps(character)[1:-1]


def _expressible(found: object) -> object:
    try:
        _dumps(found)
    except Exception:
        return _any_text(found)
    return found


def _replacement(found: object) -> Any:
    """Stands in JSON for a value of a type that JSON lacks."""
    if isinstance(found, set | frozenset):
        return list(found)
    if isinstance(found, bytes):
        return found.decode("utf-8", "backslashreplace")
    return _any_text(found)


_dumps = json.JSONEncoder(
    default=_replacement, ensure_ascii=False, allow_nan=False, separators=(",", ":")
).encode


def _any_text(found: object) -> str:
    return error_text(found) if isinstance(found, BaseException) else plain(found)


@lru_cache(128)
def _origin(thread: int, file: str, line: int) -> str:
    return f"{thread:>7} {printable(file)}:{line}] "


@lru_cache(4)
def _stamp(second: int) -> str:
    return time.strftime("%m%d %H:%M:%S", time.localtime(second))
