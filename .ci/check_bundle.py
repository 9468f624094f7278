"""Checks a bundle for the Operator Lifecycle Manager, in the format registry+v1.

    check_bundle.py DIRECTORY [--release]

Prints a line for each mistake, and fails if there is one.  With --release the bundle must be fit
for others: images have digests, and the maintainers have an address that exists.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

MOST = 1024 * 1024
"""Bytes of all manifests: OLM keeps a bundle in a ConfigMap."""

SUPPORTED = {
    *("ClusterServiceVersion", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"),
    *("ConfigMap", "NetworkPolicy", "PodDisruptionBudget", "PodMonitor", "PriorityClass"),
    *("PrometheusRule", "Role", "RoleBinding", "Secret", "Service", "ServiceAccount"),
    "ServiceMonitor",
}
"""The kinds that a bundle may have and that are not OpenShift's own."""

CATEGORIES = {
    *("AI/Machine Learning", "Application Runtime", "Big Data", "Cloud Provider", "Database"),
    *("Developer Tools", "Integration & Delivery", "Logging & Tracing", "Monitoring", "Networking"),
    *("Modernization & Migration", "Observability", "OpenShift Optional", "Security", "Storage"),
    "Streaming & Messaging",
}
"""Those of OperatorHub."""

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SEMANTIC = re.compile(r"\d+\.\d+\.\d+(-[0-9a-z]+(\.[0-9a-z]+)*)?")
_DIGEST = re.compile(r"\S+@sha256:[0-9a-f]{64}")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[a-z]+")
_PREFIX = "operators.operatorframework.io."

_TEXT = {"type": "string", "minLength": 1}
_RULES = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["serviceAccountName", "rules"],
        "properties": {"serviceAccountName": _TEXT, "rules": {"type": "array", "minItems": 1}},
    },
}
SCHEMA: Object = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "operators.coreos.com/v1alpha1"},
        "metadata": {
            "type": "object",
            "required": ["name", "annotations"],
            "properties": {
                "name": {**_TEXT, "maxLength": 63},
                "annotations": {
                    "type": "object",
                    "additionalProperties": {"type": "string"},
                    "required": ["alm-examples", "capabilities", "categories", "containerImage"],
                    "properties": {
                        "capabilities": {
                            "enum": [
                                *("Basic Install", "Seamless Upgrades", "Full Lifecycle"),
                                *("Deep Insights", "Auto Pilot"),
                            ]
                        },
                        "createdAt": {"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
                        "description": {"maxLength": 135},
                    },
                },
            },
        },
        "spec": {
            "type": "object",
            "required": [
                *("displayName", "description", "icon", "version", "provider", "maintainers"),
                *("minKubeVersion", "installModes", "install", "customresourcedefinitions"),
                *("relatedImages", "maturity"),
            ],
            "properties": {
                "version": {"type": "string"},
                "icon": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 1,
                    "items": {"required": ["base64data", "mediatype"]},
                },
                "installModes": {"type": "array", "minItems": 4, "maxItems": 4},
                "install": {
                    "required": ["strategy", "spec"],
                    "properties": {
                        "strategy": {"const": "deployment"},
                        "spec": {
                            "required": ["deployments"],
                            "properties": {"permissions": _RULES, "clusterPermissions": _RULES},
                        },
                    },
                },
                "relatedImages": {
                    "type": "array",
                    "items": {"required": ["name", "image"], "properties": {"image": _TEXT}},
                },
            },
        },
    },
}
"""What every ClusterServiceVersion of ours has."""


def objects_in(directory: Path) -> list[Object]:
    """The objects of a bundle."""
    paths = sorted((directory / "manifests").iterdir())
    return [one for path in paths for one in yaml.safe_load_all(path.read_text("utf-8"))]


def service_version(objects: list[Object]) -> Object:
    """The ClusterServiceVersion among objects; raises ValueError unless there is one."""
    (version,) = [one for one in objects if one["kind"] == "ClusterServiceVersion"]
    return version


def problems(directory: Path) -> Iterator[str]:
    """What is wrong with the bundle in a directory."""
    objects = objects_in(directory)
    size = sum(path.stat().st_size for path in (directory / "manifests").iterdir())
    if size > MOST:
        yield f"manifests have {size} bytes, of at most {MOST}"
    for one in objects:
        if one["kind"] not in SUPPORTED:
            yield f"a bundle cannot have the kind {one['kind']}"
    if (directory / "metadata" / "dependencies.yaml").exists():
        yield "it has dependencies, with which OLM v1 does not install it"
    labels = yaml.safe_load((directory / "metadata" / "annotations.yaml").read_text("utf-8"))
    yield from _metadata(labels["annotations"], (directory / "bundle.Dockerfile").read_text())
    try:
        version = service_version(objects)
    except ValueError:
        yield "it has no ClusterServiceVersion, or several"
        return
    if wrong := list(_shape(version)):
        yield from wrong
        return
    package = labels["annotations"].get(f"{_PREFIX}bundle.package.v1", "")
    yield from _names(version, package)
    yield from _categories(version)
    yield from _modes(version)
    yield from _definitions(version, objects)
    yield from _deployments(version)


def _shape(version: Object) -> Iterator[str]:
    import jsonschema  # of the extra test

    validator = jsonschema.Draft202012Validator(SCHEMA)
    for error in sorted(validator.iter_errors(version), key=lambda one: one.json_path):
        yield f"{error.json_path}: {error.message}"


def _metadata(labels: dict[str, str], dockerfile: str) -> Iterator[str]:
    expected = {
        f"{_PREFIX}bundle.mediatype.v1": "registry+v1",
        f"{_PREFIX}bundle.manifests.v1": "manifests/",
        f"{_PREFIX}bundle.metadata.v1": "metadata/",
    }
    for key, value in expected.items():
        if labels.get(key) != value:
            yield f"annotation {key} is {labels.get(key)!r}, and not {value!r}"
    channels = labels.get(f"{_PREFIX}bundle.channels.v1", "").split(",")
    default = labels.get(f"{_PREFIX}bundle.channel.default.v1", "")
    if default not in channels:
        yield f"the default channel {default!r} is none of {channels}"
    for name in (*channels, labels.get(f"{_PREFIX}bundle.package.v1", "")):
        if not _LABEL.fullmatch(name):
            yield f"{name!r} is no name of a package or a channel"
    if dict(re.findall(r"(?m)^LABEL (\S+)=(\S+)$", dockerfile)) != labels:
        yield "the labels of bundle.Dockerfile are not the annotations"


def _names(version: Object, package: str) -> Iterator[str]:
    name, number = version["metadata"]["name"], version["spec"]["version"]
    if not _SEMANTIC.fullmatch(number):
        yield f"version {number} is not a semantic one, such as 0.2.0 or 0.2.0-rc.1"
    if name != f"{package}.v{number}":
        yield f"name {name} is not {package}.v{number}"
    if not _SUBDOMAIN.fullmatch(name):
        yield f"name {name} is not one of a DNS subdomain"


def _categories(version: Object) -> Iterator[str]:
    given = {one.strip() for one in version["metadata"]["annotations"]["categories"].split(",")}
    if unknown := given - CATEGORIES:
        yield f"OperatorHub has no categories {sorted(unknown)}"


def _modes(version: Object) -> Iterator[str]:
    modes = {one["type"] for one in version["spec"]["installModes"] if one["supported"]}
    if modes != {"AllNamespaces"}:
        yield f"install modes are {sorted(modes)}; AllNamespaces is the only one that OLM v1 takes"


def _definitions(version: Object, objects: list[Object]) -> Iterator[str]:
    found = {
        (one["metadata"]["name"], one["spec"]["names"]["kind"], each["name"])
        for one in objects
        if one["kind"] == "CustomResourceDefinition"
        for each in one["spec"]["versions"]
    }
    definitions = version["spec"]["customresourcedefinitions"]
    owned = {(one["name"], one["kind"], one["version"]) for one in definitions["owned"]}
    if owned != found:
        yield f"it owns {sorted(owned)} and has definitions of {sorted(found)}"
    if definitions.get("required"):
        yield "it requires definitions of others, with which OLM v1 does not install it"
    kinds = {kind for _, kind, _ in owned}
    examples = json.loads(version["metadata"]["annotations"]["alm-examples"])
    if missing := kinds - {one["kind"] for one in examples}:
        yield f"it has no example of {sorted(missing)}"
    for one in definitions["owned"]:
        for part in ("spec", "status"):
            paths = [each["path"] for each in one.get(f"{part}Descriptors", [])]
            if not paths or len(paths) != len(set(paths)):
                yield f"{part}Descriptors of {one['kind']} are missing or there twice"


def _deployments(version: Object) -> Iterator[str]:
    spec = version["spec"]
    install = spec["install"]["spec"]
    accounts = {
        one["serviceAccountName"]
        for key in ("permissions", "clusterPermissions")
        for one in install.get(key, [])
    }
    related = {one["image"] for one in spec["relatedImages"]}
    for deployment in install["deployments"]:
        pod = deployment["spec"]["template"]["spec"]
        if pod["serviceAccountName"] not in accounts:
            yield f"nothing is permitted to the account {pod['serviceAccountName']}"
        for container in pod["containers"]:
            used = {container["image"]} | {
                one["value"]
                for one in container.get("env", [])
                if one["name"].startswith("RELATED_IMAGE_")
            }
            for image in used - related:
                yield f"relatedImages lacks {image}"
    names = {one["name"] for one in install["deployments"]}
    for webhook in spec.get("webhookdefinitions", []):
        if webhook["deploymentName"] not in names:
            yield f"webhook {webhook['generateName']} is of no deployment"


def unfit(version: Object) -> Iterator[str]:
    """What keeps a ClusterServiceVersion from being fit for others."""
    for one in version["spec"]["relatedImages"]:
        if not _DIGEST.fullmatch(one["image"]):
            yield f"image {one['image']} is not given by digest, NAME@sha256:..."
    for one in version["spec"]["maintainers"]:
        if not _ADDRESS.fullmatch(one["email"]) or one["email"].endswith(".example"):
            yield f"the maintainers' address {one['email']} is not a real one"


def main() -> None:
    """Check it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--release", action="store_true")
    given = parser.parse_args()
    found = list(problems(given.directory))
    warnings = [] if found else list(unfit(service_version(objects_in(given.directory))))
    if given.release:
        found, warnings = [*found, *warnings], []
    for line in (*found, *(f"warning: {line}" for line in warnings)):
        print(f"{given.directory}: {line}", file=sys.stderr)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
