"""What the API server says about itself: versions, groups, and the resources of each."""

from collections import defaultdict
from typing import Any

from twistdp.testing.apiserver.kinds import Kind
from twistdp.testing.apiserver.openapi import ROOT, described
from twistdp.testing.apiserver.refusals import no_such_path
from twistdp.testing.apiserver.registry import Registry

VERSION = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-04-01T00:00:00Z",
    "goVersion": "go1.26",
    "compiler": "gc",
    "platform": "linux/amd64",
}
"""Of the Kubernetes whose behaviour is emulated."""

VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


def discovered(path: str, registry: Registry) -> Any:
    """What is at a path that is not about objects; raises `ApiRefused`."""
    parts = path.strip("/").split("/")
    if path.startswith(ROOT):
        return described(path, registry)
    if path == "/version":
        return VERSION
    if path.rstrip("/") in ("/healthz", "/livez", "/readyz"):
        return "ok"
    if parts == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    groups = _groups(registry)
    if parts == ["apis"]:
        listed = [_group(name, versions) for name, versions in sorted(groups.items()) if name]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
    if parts[0] == "apis" and len(parts) == 2 and parts[1] in groups:
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(parts[1], groups[parts[1]])}
    group, version = (parts[1], parts[2:]) if parts[0] == "apis" else ("", parts[1:])
    if parts[0] in ("api", "apis") and len(version) == 1 and version[0] in groups.get(group, ()):
        return _resources(group, version[0], registry)
    raise no_such_path()


def _groups(registry: Registry) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for kind in registry:
        groups[kind.group] += (each for each in kind.versions if each not in groups[kind.group])
    return groups


def _group(name: str, versions: list[str]) -> dict[str, Any]:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _resources(group: str, version: str, registry: Registry) -> dict[str, Any]:
    listed: list[dict[str, Any]] = []
    for kind in registry:
        if kind.group == group and version in kind.versions:
            listed.append(_resource(kind))
            if kind.status:
                name = f"{kind.plural}/status"
                listed.append(
                    {
                        "name": name,
                        "singularName": "",
                        "namespaced": kind.namespaced,
                        "kind": kind.kind,
                        "verbs": ["get", "patch", "update"],
                    }
                )
    listed.sort(key=lambda resource: str(resource["name"]))
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": listed,
    }


def _resource(kind: Kind) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": kind.plural,
        "singularName": kind.singular or kind.kind.lower(),
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": VERBS,
    }
    if kind.short:
        found["shortNames"] = list(kind.short)
    if kind.categories:
        found["categories"] = list(kind.categories)
    return found
