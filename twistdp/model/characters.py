"""The rule for the characters of all texts that name something.

People see paths, keys and options, and other programs read them in specs and lines.  They may
therefore have no character that cannot be seen: none that controls a terminal (C0, DEL, C1), ends a
line, reverses the direction of writing, or is invisible.  Letters of all scripts are fine, and so
are the joiners that some scripts and emoji need.
"""

import re
from typing import Final

NOT_UTF8: Final = (
    "not UTF-8, which neither the device plugin API nor a CDI spec can carry; use a link or a name "
    "without such bytes"
)

# Texts, as most names are ASCII and nobody needs the patterns then.
_NOT_UTF8: Final = "[\ud800-\udfff]"
_NOT_PLAIN: Final = (
    "[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def is_plain(text: str) -> bool:
    """Return whether a text can name something."""
    return (text.isascii() and text.isprintable()) or not re.search(_NOT_PLAIN, text)


def fault(text: str) -> str | None:
    """Return what is wrong with a text and how to fix it; None if it `is_plain`."""
    if is_plain(text):
        return None
    if not is_utf8(text):
        return NOT_UTF8
    found = re.search(_NOT_PLAIN, text)
    assert found is not None
    return (
        f"it has the control character U+{ord(found[0]):04X}; use a link or a name without such "
        "characters"
    )


def is_utf8(text: str) -> bool:
    """Return whether UTF-8 can encode a text; file names may have other bytes."""
    return text.isascii() or not re.search(_NOT_UTF8, text)
