"""Shows foreign text and values in messages: in one line of bounded length, whatever they are.

Errors repeat what a caller sent and what foreign code returned, and end up in the log and in pods'
statuses.  There such text must forge no line, control no terminal and fill no disk.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

LONGEST: Final = 2000
"""Most bytes of a text for people; more would not fit into a gRPC status either."""

_ESCAPES = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    '"': r"\"",
    "\\": r"\\",
}
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def escape(found: "re.Match[str] | str") -> str:
    """Escape a character as Go's strconv.Quote does; return it unchanged if it needs no escape."""
    character = found if isinstance(found, str) else found[0]
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"  # a byte that is not UTF-8, as in names of files
    if number < 0x20 or number == 0x7F:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def printable(text: str, most: int | None = None) -> str:
    """Return `text` with escapes for characters that disturb a terminal or break the line.

    If it is longer than `most` characters, return its beginning and its length.
    """
    if most is not None and len(text) > most:
        return f"{printable(text[:most])}... ({len(text)} characters)"
    return text if text.isprintable() else "".join(map(_escape_control, text))


def one_line(text: str) -> str:
    """Return `text` in one line of at most `LONGEST` bytes; line breaks become spaces."""
    line = printable(" ".join(text[: 2 * LONGEST].split()))
    encoded = line.encode()
    if len(encoded) <= LONGEST and len(text) <= 2 * LONGEST:
        return line
    end = f"... ({len(text)} characters)"
    return encoded[: LONGEST - len(end)].decode(errors="ignore") + end


def named(
    texts: Iterable[str], between: str = ", ", most: int = 6, show: Callable[[str], str] = str
) -> str:
    """Join the first `most` of `texts`, as `show` shows each, and add how many more there are."""
    texts = list(texts)
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return between.join(map(show, texts[:most])) + more


def shown(value: object, most: int = 300) -> str:
    """Return the ``repr`` of a foreign value, without addresses; never raises."""
    try:
        text = _ADDRESS.sub("", repr(value))
    except Exception as error:
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    return printable(text, most)


def of_error(error: BaseException | None, most: int = 300) -> str:
    """Return the class and the text of a foreign exception in one line; never raises."""
    kind = type(error).__name__
    try:
        text = _ADDRESS.sub("", " ".join(str(error).split()))
    except Exception as again:
        return f"{kind} whose text raises {type(again).__name__}"
    return f"{kind}: {printable(text, most)}" if text else kind


def _escape_control(character: str) -> str:
    return character if character == "\t" or character.isprintable() else escape(character)
