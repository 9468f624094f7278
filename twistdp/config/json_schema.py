"""The file's format as JSON Schema (2020-12), for editors that complete and check keys.

It allows what `twistdp.config.loading` does, but for rules that a schema cannot express.
"""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from twistdp.config import kinds
from twistdp.config.fields import Field, fields_of, short_of
from twistdp.config.model import Config, Resource
from twistdp.config.showing import says_nothing
from twistdp.config.use import Catalog
from twistdp.select import Match

_TEXT: Final = ["string", "number", "boolean"]
"""What YAML takes a text for; it is used as it is written."""


def schema(cls: type[Any] = Config, catalog: Catalog | None = None) -> dict[str, Any]:
    """The schema of a document whose root is of class `cls`; `use` names entries of `catalog`."""
    definitions: dict[str, Any] = {}
    root = _of(kinds.Record(cls), definitions)
    if catalog is not None:
        for form in definitions[Resource.__name__]["anyOf"]:
            if "use" in form.get("properties", ()):
                form["properties"]["use"]["enum"] = list(catalog.names)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "twistdp configuration file",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def _of(kind: kinds.Kind, definitions: dict[str, Any]) -> dict[str, Any]:
    match kind:
        case kinds.Text(rules):
            return {"type": _TEXT, **_merged(rule.schema for rule in rules)}
        case kinds.Number(whole, rules):
            return {
                "type": "integer" if whole else "number",
                **_merged(rule.schema for rule in rules),
            }
        case kinds.Flag():
            return {"type": "boolean"}
        case kinds.Choice(words):
            return {"enum": list(words)}
        case kinds.Items(item, rules):
            each = _of(item, definitions)
            several = {"type": "array", "items": each, **_merged(rule.schema for rule in rules)}
            return {"anyOf": [each, several]}
        case kinds.Table(_, value):
            return {"type": "object", "additionalProperties": _of(value, definitions)}
        case kinds.Record(cls):
            return _reference(cls, definitions)
        case kinds.OneOf(classes):
            return {"anyOf": [_reference(cls, definitions) for cls in classes]}
        case kinds.AnyOf(members):
            return {"anyOf": [_of(each, definitions) for each in members]}


def _merged(parts: Any) -> dict[str, Any]:
    return {key: value for part in parts for key, value in part.items()}


def _reference(cls: type[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if cls.__name__ not in definitions:
        definitions[cls.__name__] = {}  # a class may have itself in it
        definitions[cls.__name__] = _definition(cls, definitions)
    return {"$ref": f"#/$defs/{cls.__name__}"}


def _definition(cls: type[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    fields = fields_of(cls)
    whole = {
        "type": "object",
        "description": (cls.__doc__ or "").split("\n\n")[0].replace("\n", " ").strip(),
        "properties": {key: _property(field, definitions) for key, field in fields.items()},
        "required": [key for key, field in fields.items() if field.required],
        "additionalProperties": False,
    }
    short = short_of(cls)
    if short is None:
        return whole
    return {"anyOf": [_allowed(short, definitions), whole]}


def _allowed(field: Field, definitions: dict[str, Any]) -> dict[str, Any]:
    allowed = _of(kinds.kind_of(field.annotation), definitions)
    return _not_empty(allowed) if field.owner is Match else allowed


def _property(field: Field, definitions: dict[str, Any]) -> dict[str, Any]:
    described = {**_allowed(field, definitions), "description": field.doc}
    default = default_of(field)
    if not says_nothing(default) and isinstance(default, str | int | float | bool):
        described["default"] = default
    return described


def _not_empty(allowed: Mapping[str, Any]) -> dict[str, Any]:
    """A schema for conditions, where empty lists and mappings are refused."""
    match allowed:
        case {"anyOf": forms}:
            return {**allowed, "anyOf": [_not_empty(form) for form in forms]}
        case {"type": "array"}:
            return {**allowed, "minItems": 1}
        case {"type": "object", "additionalProperties": inner}:
            return {**allowed, "minProperties": 1, "additionalProperties": _not_empty(inner)}
        case _:
            return dict(allowed)


def default_of(field: Field) -> Any:
    """The value of a field whose key is left out; None if it is required."""
    default = field.default
    if default is attrs.NOTHING:
        return None
    if isinstance(default, Mapping | tuple | str | int | float):
        return default
    factory = getattr(default, "factory", None)
    return factory() if callable(factory) else default
