"""Converts values to JSON's types, with names as Kubernetes writes them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs


def plain(value: Any) -> Any:
    """A value of attrs classes, mappings, sequences and plain values as JSON has it.

    Names of fields become camelCase.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if names := _names(type(value)):
        return {key: plain(getattr(value, name)) for name, key in names}
    if isinstance(value, Mapping):
        return {key: plain(found) for key, found in value.items()}
    return [plain(each) for each in value]


_NAMES: Final[dict[type, Sequence[tuple[str, str]]]] = {}


def _names(kind: type) -> Sequence[tuple[str, str]]:
    """The fields of a class of attrs, each with its name in JSON; none of another class."""
    if kind not in _NAMES:
        fields = attrs.fields(kind) if attrs.has(kind) else ()
        _NAMES[kind] = [(each.name, camel(each.name)) for each in fields]
    return _NAMES[kind]


def camel(name: str) -> str:
    """A name in snake_case as Kubernetes writes it."""
    first, *more = name.split("_")
    return first + "".join(part.capitalize() for part in more)
