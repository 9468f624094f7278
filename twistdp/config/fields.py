"""How the classes of the model describe themselves: keys of the file, documentation, rules.

Each field of a class carries metadata: ``key``, its name in the file; ``doc``, what it means;
``example``, a value as YAML.  ``short`` marks the field that a plain text, number or list stands
for where the class is expected.  ``flatten`` marks a field whose class lends its keys to this one.
"""

import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import attrs

from twistdp.errors import TwistdpError


def key(
    name: str, doc: str, default: Any = attrs.NOTHING, example: str = "", short: bool = False
) -> Any:
    """A field that the file calls `name`; without a `default` it is required."""
    metadata = {"key": name, "doc": doc, "example": example, "short": short}
    return attrs.field(default=default, metadata=metadata)


def flattened(cls: type[Any]) -> Any:
    """A field of class `cls`, whose keys are written beside this class's own."""
    return attrs.field(factory=cls, metadata={"flatten": True})


@attrs.frozen(eq=False)
class Rule:
    """What an annotation (``Annotated[str, Rule(…)]``) demands of a value.

    `check` raises a `TwistdpError` or ValueError for a value that breaks the rule; `what` names
    the values that keep it, as "an absolute path"; `schema` says the same in JSON Schema.  With
    `lists`, no single value stands for a list of one.
    """

    check: Callable[[Any], object]
    what: str
    schema: Mapping[str, Any] = attrs.field(factory=dict)
    lists: bool = False


@attrs.frozen
class Field:
    """A key of the file and the field that it sets."""

    name: str
    key: str
    doc: str
    example: str
    annotation: Any
    default: Any
    short: bool
    owner: Any
    """The class that has the field."""
    through: str | None = None
    """The flattened field of the class that holds this one."""

    @property
    def required(self) -> bool:
        """Whether the key may not be left out."""
        return self.default is attrs.NOTHING

    @property
    def stands_alone(self) -> bool:
        """Whether an instance of the class may have a value for this field alone.

        Not in a class whose keys depend on one another, which has an attribute ``together``.
        """
        return not getattr(self.owner, "together", False) and _may_be_empty(self.owner)


def fields_of(cls: type[Any]) -> Mapping[str, Field]:
    """The fields of a class by their keys, those of flattened classes included."""
    if cls not in _KNOWN:
        _KNOWN[cls] = _fields(cls)
    return _KNOWN[cls]


_KNOWN: dict[type[Any], Mapping[str, Field]] = {}


def _fields(cls: type[Any]) -> Mapping[str, Field]:
    hints = typing.get_type_hints(cls, include_extras=True)
    found: dict[str, Field] = {}
    for attribute in attrs.fields(cls):
        metadata = attribute.metadata
        if metadata.get("flatten"):
            for inner in fields_of(hints[attribute.name]).values():
                found[inner.key] = attrs.evolve(inner, through=attribute.name)
        elif "key" in metadata:
            found[metadata["key"]] = Field(
                attribute.name,
                metadata["key"],
                metadata.get("doc", ""),
                metadata.get("example", ""),
                hints[attribute.name],
                attribute.default,
                bool(metadata.get("short")),
                cls,
            )
    return found


@cache
def _may_be_empty(cls: Any) -> bool:
    try:
        cls()
    except (TwistdpError, ValueError, TypeError):
        return False
    return True


def short_of(cls: type[Any]) -> Field | None:
    """The field that a value which is no mapping stands for, if the class has such a field."""
    return next((field for field in fields_of(cls).values() if field.short), None)
