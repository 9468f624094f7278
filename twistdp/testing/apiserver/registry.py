"""The kinds that are served: the built-in ones, and those of CustomResourceDefinitions."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from twistdp.testing.apiserver.kinds import BUILT_IN, Kind
from twistdp.testing.apiserver.refusals import bad_request

Object = Mapping[str, Any]


class Registry:
    """Finds kinds by what clients call them."""

    def __init__(self, kinds: Iterable[Kind] = BUILT_IN) -> None:
        self._kinds = {kind.key: kind for kind in kinds}

    def __iter__(self) -> Iterator[Kind]:
        return iter(list(self._kinds.values()))

    def get(self, group: str, plural: str, version: str = "") -> Kind | None:
        """A kind by its plural, served at a version."""
        kind = self._kinds.get((group, plural))
        return kind if kind and (not version or version in kind.versions) else None

    def named(self, name: str) -> Kind:
        """A kind by its name or plural, with or without its group; raises `ApiRefused`."""
        for kind in self._kinds.values():
            if name in (kind.plural, kind.kind, kind.resource, kind.qualified):
                return kind
        raise bad_request(f'the server doesn\'t have a resource type "{name}"')

    def of(self, obj: Object) -> Kind:
        """The kind of an object; raises `ApiRefused`."""
        group, _, version = str(obj.get("apiVersion", "")).rpartition("/")
        for kind in self._kinds.values():
            if (kind.group, kind.kind) == (group, obj.get("kind")) and version in kind.versions:
                return kind
        about = f'"{obj.get("kind")}" in version "{obj.get("apiVersion")}"'
        raise bad_request(f"no matches for kind {about}")

    def define(self, definition: Object) -> Kind:
        """Serve the kind of a CustomResourceDefinition."""
        spec = definition["spec"]
        names = spec["names"]
        served = [version for version in spec["versions"] if version.get("served")]
        first = served[0] if served else {}
        kind = Kind(
            spec["group"],
            names["kind"],
            names["plural"],
            versions=tuple(version["name"] for version in served),
            namespaced=spec["scope"] == "Namespaced",
            short=tuple(names.get("shortNames", ())),
            categories=tuple(names.get("categories", ())),
            generation=True,
            status="status" in (first.get("subresources") or {}),
            fields=tuple(
                field["jsonPath"].removeprefix(".") for field in first.get("selectableFields", ())
            ),
            custom=True,
            schemas={
                version["name"]: (version.get("schema") or {}).get("openAPIV3Schema") or {}
                for version in served
            },
            singular=names.get("singular", ""),
        )
        self._kinds[kind.key] = kind
        return kind

    def forget(self, kind: Kind) -> None:
        """Stop serving a kind."""
        self._kinds.pop(kind.key, None)


def established(definition: Object, time: str) -> dict[str, Any]:
    """What a CustomResourceDefinition gets in its spec and status once its kind is served."""
    spec = definition["spec"]
    names = {"listKind": f"{spec['names']['kind']}List", **spec["names"]}
    names.setdefault("singular", names["kind"].lower())
    conditions = [
        {
            "type": name,
            "status": "True",
            "lastTransitionTime": time,
            "reason": reason,
            "message": message,
        }
        for name, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]
    stored = [version["name"] for version in spec["versions"] if version.get("storage")]
    return {
        "spec": {"names": names, "conversion": {"strategy": "None"}},
        "status": {"conditions": conditions, "acceptedNames": names, "storedVersions": stored},
    }
