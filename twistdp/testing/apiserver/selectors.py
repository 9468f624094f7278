"""Label and field selectors."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from twistdp.testing.apiserver.kinds import Kind
from twistdp.testing.apiserver.refusals import bad_request

Object = Mapping[str, Any]
Selector = Callable[[Object], bool]

_SET = re.compile(r"^(\S+)\s+(in|notin)\s+\(([^()]*)\)$")
_EQUAL = re.compile(r"^([^!=\s]+)\s*(==|=|!=)\s*([^!=\s]*)$")
_EXISTS = re.compile(r"^(!?)\s*([^\s!=(),]+)$")
_COMMA = re.compile(r",(?![^(]*\))")


def by_labels(text: str) -> Selector | None:
    """What a label selector selects, None for everything; raises `ApiRefused`."""
    tests = [_label_test(part.strip()) for part in _COMMA.split(text)] if text.strip() else []
    if not tests:
        return None

    def matches(obj: Object) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(test(labels) for test in tests)

    return matches


def _label_test(part: str) -> Callable[[Mapping[str, str]], bool]:
    if found := _SET.match(part):
        key, operator, listed = found.groups()
        values = {value.strip() for value in listed.split(",")}
        if operator == "in":
            return lambda labels: key in labels and labels[key] in values
        return lambda labels: labels.get(key) not in values
    if found := _EQUAL.match(part):
        key, operator, wanted = found.groups()
        if operator == "!=":
            return lambda labels: labels.get(key) != wanted
        return lambda labels: labels.get(key) == wanted
    if found := _EXISTS.match(part):
        absent, key = found.groups()
        return lambda labels: (key in labels) is not bool(absent)
    raise bad_request(f"unable to parse requirement: {part!r} is no label selector")


def by_fields(kind: Kind, text: str) -> Selector | None:
    """What a field selector selects, None for everything; raises `ApiRefused`."""
    if not text.strip():
        return None
    known = {"metadata.name", "metadata.namespace", *kind.fields}
    tests: list[tuple[tuple[str, ...], bool, str]] = []
    for part in text.split(","):
        found = _EQUAL.match(part.strip())
        if not found:
            raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
        field, operator, wanted = found.groups()
        if field not in known and kind.fields:
            raise bad_request(f"field label not supported: {field}")
        if field not in known:
            named = '"metadata.name", "metadata.namespace"'
            raise bad_request(f'"{field}" is not a known field selector: only {named}')
        tests.append((tuple(field.split(".")), operator != "!=", wanted))
    return lambda obj: all((_field(obj, path) == value) is same for path, same, value in tests)


def _field(obj: Any, path: tuple[str, ...]) -> str:
    for name in path:
        obj = obj.get(name) if isinstance(obj, Mapping) else None
    if isinstance(obj, bool):
        return "true" if obj else "false"
    return "" if obj is None else str(obj)
