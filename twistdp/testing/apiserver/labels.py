"""What labels, annotations, finalizers and owners may look like."""

import re
from collections.abc import Iterator
from typing import Any

from twistdp.testing.apiserver.rules import Cause, quoted

_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_NO_NAME = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    f"validation is '{_NAME.pattern}')"
)
_VALUE = re.compile(rf"({_NAME.pattern})?")
_NO_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
    f"'12345', regex used for validation is '{_VALUE.pattern}')"
)
LONGEST = 63
_STANDARD = ("kubernetes", "orphan", "foregroundDeletion")


def causes(metadata: dict[str, Any]) -> Iterator[Cause]:
    """What is wrong with them."""
    for name in ("labels", "annotations"):
        for key, value in (metadata.get(name) or {}).items():
            last = key.rpartition("/")[2]
            if not _NAME.fullmatch(last):
                yield _invalid(f"metadata.{name}", key, _NO_NAME)
            if len(last) > LONGEST:
                yield _invalid(f"metadata.{name}", key, "name part must be no more than 63 bytes")
            if name == "labels" and len(value) > LONGEST:
                yield _invalid("metadata.labels", value, "must be no more than 63 bytes")
            if name == "labels" and not _VALUE.fullmatch(value):
                yield _invalid("metadata.labels", value, _NO_VALUE)
    for index, finalizer in enumerate(metadata.get("finalizers") or ()):
        if "/" not in finalizer and finalizer not in _STANDARD:
            text = "name is neither a standard finalizer name nor is it fully qualified"
            yield _invalid(f"metadata.finalizers[{index}]", finalizer, text)
    yield from _owner_causes(metadata.get("ownerReferences") or [])


def _owner_causes(owners: list[dict[str, Any]]) -> Iterator[Cause]:
    for owner in owners:
        for name in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(name):
                yield _invalid(f"metadata.ownerReferences.{name}", "", "must not be empty")
    rulers = [f"{each.get('kind')}/{each.get('name')}" for each in owners if each.get("controller")]
    if len(rulers) > 1:
        text = (
            'Only one reference can have Controller set to true. Found "true" in references for '
            f"{rulers[0]} and {rulers[1]}"
        )
        yield _invalid("metadata.ownerReferences", owners, text)


def _invalid(field: str, value: Any, text: str) -> Cause:
    return field, "FieldValueInvalid", f"Invalid value: {quoted(value)}: {text}"
