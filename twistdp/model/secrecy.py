"""What may be said, in a log or to a pod, of values that can be secrets.

Variables of the environment, annotations and arguments carry licences and tokens.  Messages name
the variable and never show what it is set to, and neither does ``repr()``.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from twistdp.model.text import named, printable, shown

HIDDEN: Final = "<hidden>"

_SECRET_PARTS: Final = re.compile(
    r"pass(word|wd|phrase|code)?|pw|pwd|pin|secrets?|tokens?|(api|access|private)?keys?|auth\w*"
    r"|cred(ential)?s?|licen[cs]es?|cookies?|cert(ificate)?s?|community|salt|seed",
    re.IGNORECASE,
)
_CREDENTIALS: Final = re.compile(r"://[^/@\s]*@")


def names_only(values: Any) -> str:
    """A mapping's keys, for its ``repr()``."""
    if not isinstance(values, Mapping):
        return kind_of(values)
    return f"<{', '.join(map(str, values))}>"


def number_only(values: Any) -> str:
    """How many there are in a sequence, for its ``repr()``."""
    return f"<{len(values)}>" if isinstance(values, tuple | list) else kind_of(values)


def kind_of(value: Any) -> str:
    """What a value is that should have been something else."""
    return "None" if value is None else f"a value of type {type(value).__name__}"


def variable(key: str) -> str:
    """A key that is to be shown, without a value that was written into it."""
    name, equals, _ = key.partition("=")
    return shown(name + equals)


def assignment(key: str, values: Sequence[str]) -> str:
    """An argument of the command line, with its values unless they may be a secret.

    They may if the argument is called like one, as in ``api_token``, or has a URL with somebody's
    name in it.
    """
    parts = re.split(r"[^A-Za-z]+|(?<=[a-z])(?=[A-Z])", key)
    if any(map(_SECRET_PARTS.fullmatch, parts)) or any(map(_CREDENTIALS.search, values)):
        return f"{key}={HIDDEN}"
    return f"{key}={named([printable(value, 100) for value in values])}"
