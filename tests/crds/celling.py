"""Evaluates the rules of the custom resource as an API server does, by another implementation."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import cel

from twistdp.config.wording import place_below
from twistdp.crds.amounts import amount
from twistdp.crds.definition import WHOLE
from twistdp.crds.rule import VALIDATIONS, CelRule


def _is_quantity(text: str) -> bool:
    return (
        re.fullmatch(
            r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)(|[KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)", text
        )
        is not None
    )


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "isQuantity": _is_quantity,
    "quantity": lambda text: text,
    "compareTo": lambda one, other: (amount(one) > amount(other)) - (amount(one) < amount(other)),
}
"""Those of Kubernetes' own that rules use; a real API server tests that they are the same."""


@cache
def _compiled(expression: str) -> Any:
    return cel.compile(expression)


def holds(rule: CelRule, value: Any, old: Any = None) -> bool:
    """Whether a value, as JSON has it, keeps a rule."""
    context = cel.Context({"self": value, "oldSelf": old}, _FUNCTIONS)
    found = _compiled(rule.expression).execute(context)
    assert isinstance(found, bool), rule
    return found


def broken(
    value: Any, old: Any = None, schema: Mapping[str, Any] = WHOLE, place: str = ""
) -> Iterator[tuple[str, CelRule]]:
    """The rules that an object breaks, each with the place that it blames."""
    for rule in schema.get(VALIDATIONS, ()):
        if (old is not None or not rule.transition) and not holds(rule, value, old):
            yield f"{place}.{rule.key}".lstrip(".") if rule.key else place, rule
    if isinstance(value, Mapping):
        for name, each in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            before = old.get(name) if isinstance(old, Mapping) else None
            if inner is not None:
                yield from broken(each, before, inner, place_below(place, name))
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from broken(each, None, schema.get("items", {}), f"{place}[{index}]")
