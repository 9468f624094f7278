"""The schemas of custom kinds: what is pruned, what is defaulted, and what is refused.

CEL rules are not evaluated, and neither are formats: a test that needs one has it as a function
in `ApiServer.admission`.
"""

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from twistdp.testing.apiserver.rules import Cause, quoted
from twistdp.testing.apiserver.shapes import Custom, item_key

Schema = Mapping[str, Any]

_ANYTHING = {"x-kubernetes-preserve-unknown-fields": True}
_OWN = ("apiVersion", "kind", "metadata")
_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)


def completed(obj: dict[str, Any], schema: Schema) -> dict[str, Any]:
    """A custom object without unknown fields, and with defaults."""
    own = {name: obj[name] for name in _OWN if name in obj}
    rest = {name: value for name, value in obj.items() if name not in _OWN}
    found: dict[str, Any] = _defaulted(_pruned(rest, schema), schema)
    return {**found, **own}


def _field(schema: Schema, name: str) -> Schema | None:
    """The schema of a field, an empty one where anything goes, None for an unknown field."""
    found: Schema | None = (schema.get("properties") or {}).get(name)
    if found is None and (more := schema.get("additionalProperties")):
        # If it is just true, the real server prunes what is in the field.
        found = more if isinstance(more, Mapping) else {}
    if found is None and schema.get("x-kubernetes-preserve-unknown-fields"):
        found = {"x-kubernetes-preserve-unknown-fields": True}
    return found


def _pruned(value: Any, schema: Schema) -> Any:
    if isinstance(value, dict):
        fields = ((name, inner, _field(schema, name)) for name, inner in value.items())
        return {name: _pruned(inner, field) for name, inner, field in fields if field is not None}
    if isinstance(value, list):
        items = schema.get("items") or schema
        return [_pruned(item, items) for item in value]
    return value


def _defaulted(value: Any, schema: Schema) -> Any:
    if isinstance(value, dict):
        value = dict(value)
        for name, field in (schema.get("properties") or {}).items():
            is_missing = name not in value or (value[name] is None and not field.get("nullable"))
            if is_missing and "default" in field:
                value[name] = copy.deepcopy(field["default"])
        return {
            name: _defaulted(inner, _field(schema, name) or {}) for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_defaulted(item, schema.get("items") or {}) for item in value]
    return value


def undeclared(value: Any, schema: Schema, path: str = "") -> Iterator[str]:
    """The paths of fields that a schema does not have; to apply them is an error."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not path and name in _OWN:
                continue
            field = _field(schema, name)
            if field is None:
                yield f"{path}.{name}"
            elif field:
                yield from undeclared(inner, field, f"{path}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from undeclared(item, schema.get("items") or schema, path)


def causes(value: Any, schema: Schema, path: str = "") -> Iterator[Cause]:
    """What is wrong with a custom object, or with a value in it."""
    if value is None and schema.get("nullable"):
        return
    if "enum" in schema and value not in schema["enum"]:
        supported = ", ".join(map(quoted, schema["enum"]))
        text = f"Unsupported value: {quoted(value)}: supported values: {supported}"
        yield path, "FieldValueNotSupported", text
    if wrong := _wrong_type(value, schema):
        kinds, found = wrong
        text = f'Invalid value: "{found}": {path} in body must be of type {kinds}: "{found}"'
        yield path, "FieldValueTypeInvalid", text
        return
    if isinstance(value, str):
        yield from _text_causes(value, schema, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _number_causes(value, schema, path)
    elif isinstance(value, list):
        yield from _list_causes(value, schema, path)
    elif isinstance(value, dict):
        yield from _object_causes(value, schema, path)
    yield from _junctor_causes(value, schema, path)


def _wrong_type(value: Any, schema: Schema) -> tuple[str, str] | None:
    """The types that a value may have, and the one that it has, unless that is one of them."""
    found = next((name for type_, name in _NAMES if isinstance(value, type_)), "null")
    if schema.get("x-kubernetes-int-or-string"):
        return None if found in ("integer", "string") else ("integer,string", found)
    wanted = schema.get("type")
    fits = {found, "number"} if found == "integer" else {found}
    return None if wanted is None or wanted in fits else (wanted, found)


def _in_body(value: Any, path: str, text: str) -> Cause:
    return path, "FieldValueInvalid", f"Invalid value: {quoted(value)}: {path} in body {text}"


def _text_causes(value: str, schema: Schema, path: str) -> Iterator[Cause]:
    longest, shortest = schema.get("maxLength"), schema.get("minLength")
    if longest is not None and len(value) > longest:
        yield path, "FieldValueTooLong", f"Too long: may not be more than {longest} bytes"
    if shortest is not None and len(value) < shortest:
        yield _in_body(value, path, f"should be at least {shortest} chars long")
    pattern = schema.get("pattern")
    if pattern is not None and not re.search(pattern, value):
        yield _in_body(value, path, f"should match '{pattern}'")


def _number_causes(value: float, schema: Schema, path: str) -> Iterator[Cause]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and value < least:
        yield _in_body(value, path, f"should be greater than or equal to {least}")
    if most is not None and value > most:
        yield _in_body(value, path, f"should be less than or equal to {most}")


def _too_many(count: int, schema: Schema, name: str, path: str) -> Iterator[Cause]:
    most, least = schema.get(f"max{name}"), schema.get(f"min{name}")
    if most is not None and count > most:
        text = f"Too many: {count}: must have at most {most} items"
        yield path, "FieldValueTooMany", text
    if least is not None and count < least:
        text = f"should have at least {least} {name.lower()}"
        yield path, "FieldValueInvalid", f"Invalid value: {count}: {path} in body {text}"


def _list_causes(value: list[Any], schema: Schema, path: str) -> Iterator[Cause]:
    yield from _too_many(len(value), schema, "Items", path)
    for index, item in enumerate(value):
        yield from causes(item, schema.get("items") or {}, f"{path}[{index}]")
    for index, duplicate in duplicates(value, schema):
        text = f"Duplicate value: {duplicate}"
        yield f"{path}[{index}]", "FieldValueDuplicate", text


def duplicates(value: Iterable[Any], schema: Schema) -> Iterator[tuple[int, str]]:
    """The items of a set, or of a map by keys, that were there before, with what they repeat."""
    shape = Custom(schema)
    if not (shape.is_set or shape.keys):
        return
    seen = set()
    for index, item in enumerate(value):
        key = item_key(shape.keys, item)
        if key in seen:
            yield index, key.partition(":")[2]
        seen.add(key)


def _object_causes(value: dict[str, Any], schema: Schema, path: str) -> Iterator[Cause]:
    yield from _too_many(len(value), schema, "Properties", path)
    for name in schema.get("required") or ():
        if name not in value:
            yield _joined(path, name), "FieldValueRequired", "Required value"
    for name, inner in value.items():
        if path or name not in _OWN:
            yield from causes(inner, _field(schema, name) or {}, _joined(path, name))


def _junctor_causes(value: Any, schema: Schema, path: str) -> Iterator[Cause]:
    def found(name: str) -> list[list[Cause]]:
        return [list(causes(value, part, path)) for part in schema.get(name) or ()]

    def cause(text: str) -> Cause:
        return "<nil>", "FieldValueInvalid", f'Invalid value: "": "{path}" must {text}'

    every, some, one = found("allOf"), found("anyOf"), found("oneOf")
    for part in every:
        yield from part
    if any(every):
        yield cause(f"validate all the schemas (allOf){'. None validated' * all(every)}")
    if some and all(some):
        yield cause("validate at least one schema (anyOf)")
        yield from some[0]
    count = sum(1 for part in one if not part)
    if one and count != 1:
        how = f"Found {count} valid alternatives" if count else "Found none valid"
        yield cause(f"validate one and only one schema (oneOf). {how}")
        yield from () if count else one[0]
    if "not" in schema and not any(causes(value, schema["not"], path)):
        yield cause("not validate the schema (not)")


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
