"""Rules of the custom resource: each exists once, in CEL for the API server and in Python.

Messages state the fact, then the remedy.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

import attrs

from twistdp.config import BadKey, BadKeys, Rule
from twistdp.errors import BadSetting


@attrs.frozen
class CelRule:
    """What a value must meet.

    `expression` is CEL about ``self``; `check` answers the same in Python, for the value of the
    model.  `key` names the key of the value that is to blame.  With `transition` the rule compares
    the value with ``oldSelf``, and `check` gets both, the new one first.
    """

    expression: str
    message: str
    check: Callable[..., bool]
    key: str | None = None
    transition: bool = False

    def error(self) -> BadSetting:
        """The error for a value that breaks the rule."""
        return BadKey(self.message, self.key) if self.key else BadSetting(self.message)

    def schema(self) -> dict[str, str]:
        """The rule as ``x-kubernetes-validations`` has it."""
        place = {"fieldPath": f".{self.key}"} if self.key else {}
        return {"rule": self.expression, "message": self.message, **place}


VALIDATIONS: Final = "x-kubernetes-validations"
ATOMIC: Final = {"x-kubernetes-list-type": "atomic"}
"""Of a list that one writer has as a whole."""


class Ruled:
    """A class with rules about several of its keys, which an instance checks when it is made."""

    rules: ClassVar[tuple[CelRule, ...]] = ()
    together: ClassVar[bool] = True

    def __attrs_post_init__(self) -> None:
        errors = [
            rule.error() for rule in self.rules if not rule.transition and not rule.check(self)
        ]
        if errors:
            raise BadKeys(errors)


def kept(rule: CelRule, what: str, **schema: Any) -> Rule:
    """A rule for an annotation: `what` names the values that keep it, `schema` says more of them.

    The schema alone must refuse what makes CEL expensive, such as long texts.
    """

    def check(value: Any) -> None:
        if not rule.check(value):
            raise rule.error()

    return Rule(check, what, {**schema, VALIDATIONS: [rule]})


def text(pattern: str, message: str, what: str, most: int, least: int = 1) -> tuple[Rule, Rule]:
    """Rules for a text of at most so many characters that matches a regular expression, in RE2."""
    rule = CelRule(
        f"self.matches(r'^({pattern})$')",
        message,
        lambda value: matches(pattern, value),
    )
    return length(most, least), kept(rule, what)


def length(most: int, least: int = 0) -> Rule:
    """A rule for the number of a text's characters."""

    def check(value: str) -> None:
        if len(value) > most:
            raise BadSetting(f"it has {len(value)} characters, at most {most} are accepted")
        if len(value) < least:
            raise BadSetting("the text is empty")

    bounds = {"maxLength": most, **({"minLength": least} if least else {})}
    return Rule(check, "a text", bounds)


def count(most: int, least: int = 0, schema: Mapping[str, Any] | None = None) -> Rule:
    """A rule for the number of items of a list."""
    return Rule(
        _counted("items", most, least),
        "a list",
        {"maxItems": most, **({"minItems": least} if least else {}), **(schema or {})},
        lists=True,
    )


def pairs(most: int) -> Rule:
    """A rule for the number of keys of a mapping."""
    return Rule(_counted("keys", most, 0), "a mapping", {"maxProperties": most})


def unique(key: str | None = None) -> Rule:
    """A rule for lists whose items differ, by a key if they are mappings.

    Writers that use server-side apply own single items of them.
    """

    def check(values: Any) -> None:
        found: set[Any] = set()
        for value in values:
            known = getattr(value, key) if key is not None else value
            if known in found:
                raise BadSetting(f"{known!r} is there twice; leave one out")
            found.add(known)

    if key is None:
        return Rule(check, "a list", {"x-kubernetes-list-type": "set"})
    keys = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
    return Rule(check, "a list", keys)


def between(least: int, most: int) -> Rule:
    """A rule for whole numbers."""

    def check(value: int) -> None:
        if not least <= value <= most:
            raise BadSetting(f"expected {what}, found {value}")

    what = f"a whole number from {least} to {most}"
    return Rule(check, what, {"minimum": least, "maximum": most})


def _counted(what: str, most: int, least: int) -> Callable[[Any], None]:
    def check(values: Any) -> None:
        if len(values) > most:
            raise BadSetting(f"it has {len(values)} {what}, at most {most} are accepted")
        if len(values) < least:
            raise BadSetting("there is nothing in it; leave the key out")

    return check


def matches(pattern: str, value: str) -> bool:
    """Whether a whole text matches a regular expression."""
    return re.fullmatch(pattern, value) is not None


def keys(pattern: str, most: int, message: str, what: str) -> tuple[Rule, ...]:
    """Rules for the keys of a mapping; CustomResourceDefinitions have no schema for them."""
    rule = CelRule(
        f"self.all(key, key.size() <= {most} && key.matches(r'^({pattern})$'))",
        message,
        lambda value: all(len(key) <= most and matches(pattern, key) for key in value),
    )
    return (kept(rule, what),)
