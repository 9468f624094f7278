"""The CustomResourceDefinition, and the rules in it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from twistdp.crds.plugin import GROUP, KIND, NAME, PLURAL, VERSION
from twistdp.crds.rule import VALIDATIONS, CelRule
from twistdp.crds.schema import schema, written
from twistdp.crds.spec import DevicePluginSpec
from twistdp.crds.status import DevicePluginStatus
from twistdp.deployment import Document, as_yaml

_COLUMNS: Final = (
    ("Desired", "integer", ".status.desired", 0, "Nodes that the plugin is meant to run on"),
    ("Ready", "integer", ".status.ready", 0, "Nodes on which it is ready"),
    ("Devices", "integer", ".status.devices", 0, "All devices of all nodes"),
    ("Unhealthy", "integer", ".status.unhealthy", 0, "Devices that no pod may get"),
    (
        "Available",
        "string",
        '.status.conditions[?(@.type=="Available")].status',
        0,
        "Whether it is ready on every node",
    ),
    ("Age", "date", ".metadata.creationTimestamp", 0, "How long the object has existed"),
    ("Image", "string", ".status.image", 1, "The plugin's image"),
    (
        "Reason",
        "string",
        '.status.conditions[?(@.type=="Degraded")].reason',
        1,
        "What is wrong, AsExpected if nothing is",
    ),
)

WHOLE: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A device plugin that runs on the nodes of a cluster.",
    "required": ["spec"],
    "properties": {
        "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}."},
        "kind": {"type": "string", "description": f"{KIND}."},
        "metadata": {"type": "object"},
        "spec": schema(DevicePluginSpec),
        "status": schema(DevicePluginStatus),
    },
    VALIDATIONS: [NAME],
}
"""The schema of an object; its validations are `CelRule`s."""


def crd() -> dict[str, Any]:
    """The CustomResourceDefinition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Cluster",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["dplug"],
                "categories": ["twistdp"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [*map(_column, _COLUMNS)],
                    "schema": {"openAPIV3Schema": written(WHOLE)},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


def crd_yaml() -> str:
    """The CustomResourceDefinition in YAML."""
    return as_yaml([Document(crd(), "`make generate` writes this file from twistdp.crds.")])


def rules() -> Mapping[str, tuple[CelRule, ...]]:
    """The rules, by the place in an object of what they are about: ``spec.catalog[]``."""
    found: dict[str, tuple[CelRule, ...]] = {}
    for place, rule in _rules(WHOLE, ""):
        found[place] = (*found.get(place, ()), rule)
    return found


def _rules(part: Mapping[str, Any], place: str) -> Iterator[tuple[str, CelRule]]:
    for rule in part.get(VALIDATIONS, ()):
        yield place, rule
    for name, inner in part.get("properties", {}).items():
        yield from _rules(inner, f"{place}.{name}".lstrip("."))
    if "items" in part:
        yield from _rules(part["items"], f"{place}[]")
    if "additionalProperties" in part:
        yield from _rules(part["additionalProperties"], f"{place}.*")


def _column(column: tuple[str, str, str, int, str]) -> dict[str, Any]:
    name, kind, path, priority, description = column
    more = {"priority": priority} if priority else {}
    return {"name": name, "type": kind, "jsonPath": path, "description": description, **more}
