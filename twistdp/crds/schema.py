"""The classes as a structural schema of OpenAPI v3, which CustomResourceDefinitions have."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from twistdp.config import Config, Field, Rule, default_of, fields_of, kinds
from twistdp.crds.limits import MOST_RESOURCES
from twistdp.crds.rule import ATOMIC, VALIDATIONS

_OPEN: Final = {"x-kubernetes-preserve-unknown-fields": True}


def schema(cls: type[Any]) -> dict[str, Any]:
    """The schema of a class; validations in it are rules of `twistdp.crds.rule`."""
    if cls is Config:
        return _configuration()
    fields = fields_of(cls)
    rules = list(getattr(cls, "rules", ()))
    required = [name for name, field in fields.items() if field.required]
    return {
        "type": "object",
        "description": _sentence(cls.__doc__ or ""),
        **({"required": required} if required else {}),
        "properties": {name: _property(field) for name, field in fields.items()},
        **({VALIDATIONS: rules} if rules else {}),
    }


def _configuration() -> dict[str, Any]:
    """The schema of a configuration file.

    A value of it may have several forms, which no structural schema describes, so below a
    resource everything is kept.  A misspelt key is kept as well, since what reads the object
    names it then, with the one that was meant.
    """
    fields = fields_of(Config)
    domain, exclusive, resources = fields["domain"], fields["exclusive"], fields["resources"]
    return {
        "type": "object",
        "description": _sentence(Config.__doc__ or ""),
        "required": [name for name, field in fields.items() if field.required],
        "properties": {
            "domain": {"type": "string", "description": domain.doc, "maxLength": 253},
            "exclusive": {"type": "boolean", "description": exclusive.doc},
            "resources": {
                "type": "object",
                "description": resources.doc,
                "additionalProperties": dict(_OPEN),
                "maxProperties": MOST_RESOURCES,
            },
        },
        **_OPEN,
    }


def _property(field: Field) -> dict[str, Any]:
    found = _of(kinds.kind_of(field.annotation))
    default = default_of(field)
    given = {"default": default} if isinstance(default, str | int) else {}
    return {**found, "description": _sentence(field.doc), **given}


def _of(kind: kinds.Kind) -> dict[str, Any]:
    match kind:
        case kinds.Text(rules):
            return {"type": "string", **_merged(rules)}
        case kinds.Number(True, rules):
            return {"type": "integer", "format": "int64", **_merged(rules)}
        case kinds.Number(False, rules):
            return {"type": "number", **_merged(rules)}
        case kinds.Flag():
            return {"type": "boolean"}
        case kinds.Choice(words):
            return {"type": "string", "enum": list(words)}
        case kinds.Items(item, rules):
            return {"type": "array", "items": _of(item), **ATOMIC, **_merged(rules)}
        case kinds.Table(_, value, rules):
            return {"type": "object", "additionalProperties": _of(value), **_merged(rules)}
        case kinds.Record(cls):
            return schema(cls)
        case kinds.AnyOf((kinds.Number(True, of_number), kinds.Text(of_text)), rules):
            # Kubernetes allows only this form, and no rules in the branches.
            forms = [{"type": "integer"}, {"type": "string"}]
            bounds = _merged([*of_number, *of_text, *rules])
            return {"anyOf": forms, "x-kubernetes-int-or-string": True, **bounds}
    raise TypeError(f"a structural schema cannot describe {kind}")


def _merged(rules: Iterable[Rule]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for rule in rules:
        for name, value in rule.schema.items():
            found[name] = [*found.get(name, ()), *value] if name == VALIDATIONS else value
    return found


def _sentence(text: str) -> str:
    return " ".join(text.split())


def pruned(value: Any, part: Mapping[str, Any]) -> Any:
    """A value without the keys that a part of a schema does not know, as API servers prune it."""
    if isinstance(value, Mapping) and not _OPEN.keys() & part.keys():
        known = part.get("properties", {})
        inner = {name: known.get(name, part.get("additionalProperties")) for name in value}
        return {
            name: pruned(each, found)
            for name, each in value.items()
            if (found := inner[name]) is not None
        }
    if isinstance(value, list) and "items" in part:
        return [pruned(each, part["items"]) for each in value]
    return value


def written(value: Any) -> Any:
    """A schema as Kubernetes has it, with rules in its form."""
    if isinstance(value, Mapping):
        return {
            name: [rule.schema() for rule in each] if name == VALIDATIONS else written(each)
            for name, each in value.items()
        }
    return [written(each) for each in value] if isinstance(value, list) else value
