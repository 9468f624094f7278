"""The types of the fields that clients get wrong: values of others cannot even be read."""

from collections.abc import Iterator, Mapping
from typing import Any

from twistdp.testing.apiserver import refusals
from twistdp.testing.apiserver.kinds import Kind

Form = Any
"""`TEXT`, a list of one form, ``{"*": form}`` for a map, or the forms of some fields."""

TEXT = "string"
_TEXTS = {"*": TEXT}
_METADATA: Form = {
    "name": TEXT,
    "namespace": TEXT,
    "labels": _TEXTS,
    "annotations": _TEXTS,
    "finalizers": [TEXT],
    "ownerReferences": [{"uid": TEXT, "name": TEXT}],
}
_CONTAINER: Form = {
    "name": TEXT,
    "image": TEXT,
    "args": [TEXT],
    "command": [TEXT],
    "env": [{"name": TEXT, "value": TEXT}],
    "ports": [{"name": TEXT}],
    "volumeMounts": [{"name": TEXT, "mountPath": TEXT}],
}
_POD: Form = {
    "containers": [_CONTAINER],
    "initContainers": [_CONTAINER],
    "volumes": [{"name": TEXT}],
    "tolerations": [{"key": TEXT}],
    "nodeSelector": _TEXTS,
    "serviceAccountName": TEXT,
}
_WORKLOAD: Form = {
    "selector": {"matchLabels": _TEXTS},
    "template": {"metadata": _METADATA, "spec": _POD},
}
_FORMS: Mapping[str, Form] = {
    "ConfigMap": {"data": _TEXTS, "binaryData": _TEXTS},
    "Secret": {"data": _TEXTS, "stringData": _TEXTS},
    "Pod": {"spec": _POD, "status": {}},
    "DaemonSet": {"spec": _WORKLOAD, "status": {}},
    "Deployment": {"spec": _WORKLOAD, "status": {}},
    "Node": {"spec": {}, "status": {"capacity": {}, "allocatable": {}}},
    "ResourceClaim": {"spec": {"devices": {"requests": [{"exactly": {}}]}}},
    "CustomResourceDefinition": {
        "spec": {
            "group": TEXT,
            "scope": TEXT,
            "names": {"plural": TEXT, "kind": TEXT, "shortNames": [TEXT], "categories": [TEXT]},
            "versions": [{"name": TEXT, "schema": {"openAPIV3Schema": {}}, "subresources": {}}],
        }
    },
}
_READ: Mapping[str, Any] = {"list": list, "map": dict, TEXT: str}
_NAMES = {
    bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object",
}  # fmt: skip


def _wrong(value: Any, form: Form, path: str) -> Iterator[tuple[str, str, Any]]:
    """Where values are of other types: for each the path, the type that fits, and the value."""
    if value is None:
        return
    fits = "list" if isinstance(form, list) else "map" if isinstance(form, dict) else form
    if not isinstance(value, _READ[fits]):
        yield path, fits, value
    elif isinstance(form, list):
        for index, item in enumerate(value):
            name = item.get("name") if isinstance(item, dict) else None
            key = f'name="{name}"' if isinstance(name, str) else str(index)
            yield from _wrong(item, form[0], f"{path}[{key}]")
    elif isinstance(form, dict):
        for name, inner in value.items():
            known = form.get(name, form.get("*"))
            if known is not None:
                yield from _wrong(inner, known, f"{path}.{name}")


def _first(kind: Kind, obj: Mapping[str, Any]) -> tuple[str, str, Any] | None:
    forms = {} if kind.custom else _FORMS.get(kind.kind, {})
    return next(_wrong(obj, {"metadata": _METADATA, **forms}, ""), None)


def without_empty(kind: Kind, obj: Mapping[str, Any]) -> dict[str, Any]:
    """A built-in object without its empty lists, and without its empty maps of texts."""
    found: dict[str, Any] = _filled(obj, {"metadata": _METADATA, **_FORMS.get(kind.kind, {})})
    return found


def _filled(value: Any, form: Form) -> Any:
    if isinstance(form, list) and isinstance(value, list):
        return [_filled(item, form[0]) for item in value]
    if not (isinstance(form, dict) and isinstance(value, dict)):
        return value
    return {
        name: _filled(inner, known)
        for name, inner in value.items()
        if (known := form.get(name)) is None or not _is_omitted(inner, known)
    }


def _is_omitted(value: Any, form: Form) -> bool:
    return not value and (isinstance(form, list) or form == _TEXTS)


def check_types(kind: Kind, version: str, obj: Mapping[str, Any]) -> None:
    """Refuse an object that cannot be read; raises `ApiRefused`."""
    if wrong := _first(kind, obj):
        path, fits, value = wrong
        raise refusals.bad_request(
            f'{kind.kind} in version "{version}" cannot be handled as a {kind.kind}: json: cannot '
            f"unmarshal {_NAMES[type(value)]} into Go struct field {kind.kind}{path} of type {fits}"
        )


def mistyped(kind: Kind, obj: Mapping[str, Any]) -> str:
    """What server-side apply says about an object that cannot be read, or nothing."""
    wrong = _first(kind, obj)
    return f"{wrong[0]}: expected {wrong[1]}, got {wrong[2]!r}" if wrong else ""
