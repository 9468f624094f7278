"""Describes values that may be secrets, without showing them in a log or to a pod.

Environment variables, annotations and arguments carry licences and tokens.  Messages and ``repr()``
name the variable and never show its value.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from twistdp.model.text import named, printable, shown

HIDDEN: Final = "<hidden>"

_SECRETS: Final = frozenset((
    "pass", "password", "passwd", "passphrase", "passcode", "pw", "pwd", "pin", "secret", "token",
    "key", "apikey", "accesskey", "privatekey", "cred", "credential", "license", "licence",
    "cookie", "cert", "certificate", "community", "salt", "seed",
))  # fmt: skip
_CREDENTIALS: Final = re.compile(r"://[^/@\s]*@")


def names_only(values: Any) -> str:
    """Show only a mapping's keys, for its ``repr()``."""
    if not isinstance(values, Mapping):
        return kind_of(values)
    return f"<{', '.join(map(str, values))}>"


def number_only(values: Any) -> str:
    """Show only the length of a sequence, for its ``repr()``."""
    return f"<{len(values)}>" if isinstance(values, tuple | list) else kind_of(values)


def kind_of(value: Any) -> str:
    """Name the type of a value that should have been of another type."""
    return "None" if value is None else f"a value of type {type(value).__name__}"


def variable(key: str) -> str:
    """Show a key, without a value that was written into it by mistake."""
    name, equals, _ = key.partition("=")
    return shown(name + equals)


def assignment(key: str, values: Sequence[str]) -> str:
    """Show an argument of the command line, with its values unless they may be a secret.

    They may be one if the argument has such a name, as ``api_token``, or is a URL with a user's
    name in it.
    """
    parts = re.split(r"[^A-Za-z]+|(?<=[a-z])(?=[A-Z])", key)
    if any(map(_is_secret, parts)) or any(map(_CREDENTIALS.search, values)):
        return f"{key}={HIDDEN}"
    return f"{key}={named([printable(value, 100) for value in values])}"


def _is_secret(part: str) -> bool:
    word = part.lower()
    return word.startswith("auth") or word in _SECRETS or word.removesuffix("s") in _SECRETS
