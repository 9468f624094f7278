"""As much of OpenAPI as kubectl wants before it sends objects: where fields can be validated."""

from typing import Any

from twistdp.testing.apiserver.kinds import Kind
from twistdp.testing.apiserver.refusals import no_such_path
from twistdp.testing.apiserver.registry import Registry

ROOT = "/openapi/v3"
_PARAMETERS = [
    {"name": name, "in": "query"} for name in ("dryRun", "fieldManager", "fieldValidation")
]


def described(path: str, registry: Registry) -> Any:
    """What is at a path below `ROOT`; raises `ApiRefused`."""
    groups: dict[str, list[tuple[Kind, str]]] = {}
    for kind in registry:
        for version in kind.versions:
            start = f"apis/{kind.group}" if kind.group else "api"
            groups.setdefault(f"{start}/{version}", []).append((kind, version))
    if path == ROOT:
        return {"paths": {name: {"serverRelativeURL": f"{ROOT}/{name}"} for name in groups}}
    name = path.removeprefix(f"{ROOT}/")
    if name not in groups:
        raise no_such_path()
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.0"},
        "paths": dict(_path(name, kind, version) for kind, version in groups[name]),
        "components": {"schemas": {}},
    }


def _path(start: str, kind: Kind, version: str) -> tuple[str, Any]:
    inside = "/namespaces/{namespace}" if kind.namespaced else ""
    patch = {
        "parameters": _PARAMETERS,
        "x-kubernetes-group-version-kind": {
            "group": kind.group,
            "kind": kind.kind,
            "version": version,
        },
        "responses": {},
    }
    return f"/{start}{inside}/{kind.plural}/{{name}}", {"patch": patch}
