"""What may be said, in a log or to a pod, of values that can be secrets.

Variables of the environment, annotations and arguments carry licences and tokens.  Messages name
the variable and never show what it is set to, and neither does ``repr()``.
"""

from collections.abc import Mapping
from typing import Any

from twistdp.legible import shown


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
