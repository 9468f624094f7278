"""Values as YAML takes them.

They are put in as JSON, which YAML includes, so that no YAML library is needed.
"""

import json
from typing import Any

from twistdp.errors import BadSetting
from twistdp.model import printable

NOT_NAMES = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
"""Words that mean something else in YAML."""


def entries(indent: int, values: list[Any]) -> str:
    """Values, one a line."""
    return "".join(f"{' ' * indent}- {quoted(value)}\n" for value in values)


def label(name: str) -> str:
    """A name of lower-case letters, digits and ``-`` as YAML takes it, which knows other words."""
    return name if name[0].isalpha() and name not in NOT_NAMES else quoted(name)


def quoted(value: Any) -> str:
    """A value as YAML takes it: JSON, with escapes for what is not printable.

    `BadSetting` for bytes that are not UTF-8.
    """
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError as error:  # lone surrogates are bytes of the command line
        raise BadSetting(
            f"{printable(text)}: bytes that are not UTF-8 cannot be written into YAML; leave them "
            "out"
        ) from error
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)


def block(text: str) -> str:
    """A text as YAML takes it, its lines as they are if that is possible."""
    *lines, rest = text.split("\n")
    if rest or not lines or not all(line.isprintable() for line in lines):
        return quoted(text) + "\n"
    # The first line tells the indentation, the last one how the text ends.
    if not lines[-1] or not lines[0] or lines[0].startswith(" "):
        return quoted(text) + "\n"
    return "|\n" + "".join(f"    {line}\n" if line else "\n" for line in lines)
