"""What the API server itself adds to objects, and what it refuses about them."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from twistdp.testing.apiserver.kinds import (
    CLAIMS,
    DAEMONSETS,
    DEFINITIONS,
    EVENTS,
    NAMESPACES,
    NODES,
    PODS,
    RBAC,
    Kind,
)

Object = dict[str, Any]
Cause = tuple[str, str, str]
"""A field, a reason such as ``FieldValueInvalid``, and a text."""

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_SAID = {
    _LABEL: "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', "
    "regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    _SUBDOMAIN: "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
    "characters, '-' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
}

_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_NO_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' "
    "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
    "'[-._a-zA-Z0-9]+')"
)

_POD = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
_CONTAINER = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
_NO_PODS = dict.fromkeys(
    ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"), 0
)
_GENERATION = "deprecated.daemonset.template.generation"


def quoted(value: Any) -> str:
    """A value in a message."""
    return json.dumps(value, separators=(",", ":"))


def name_causes(kind: Kind, name: str) -> Iterator[Cause]:
    """What is wrong with an object's name."""
    if kind.group == RBAC:
        return
    form = _LABEL if kind == NAMESPACES else _SUBDOMAIN
    if not form.fullmatch(name):
        yield (
            "metadata.name",
            "FieldValueInvalid",
            f"Invalid value: {quoted(name)}: {_SAID[form]}",
        )
    longest = 63 if kind == NAMESPACES else 253
    if len(name) > longest:
        text = f"Invalid value: {quoted(name)}: must be no more than {longest} bytes"
        yield "metadata.name", "FieldValueInvalid", text


def with_defaults(kind: Kind, new: Object, old: Object | None) -> Object:
    """A built-in object with what the server adds to it."""
    if kind == NAMESPACES and old is None:
        labels = {**new["metadata"].get("labels", {})}
        labels["kubernetes.io/metadata.name"] = new["metadata"]["name"]
        return {
            **new,
            "metadata": {**new["metadata"], "labels": labels},
            "spec": {**new.get("spec", {}), "finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        }
    if kind == PODS:
        status = {"status": {"phase": "Pending", "qosClass": "BestEffort"}} if old is None else {}
        return {**new, "spec": _pod_spec(new.get("spec") or {}), **status}
    if kind == DAEMONSETS:
        return _daemon_set(new, old)
    if kind == CLAIMS:
        return _claim(new)
    if kind == NODES and new.get("status"):
        return {**new, "status": _node_status(new["status"])}
    return new


def _node_status(status: Object) -> Object:
    """Quantities are texts, and all is allocatable where nothing is said about it."""
    capacity, allocatable = (
        {name: str(count) for name, count in (status.get(field) or {}).items()}
        for field in ("capacity", "allocatable")
    )
    if not capacity and not allocatable:
        return status
    return {**status, "capacity": capacity, "allocatable": allocatable or capacity}


def _claim(new: Object) -> Object:
    spec = new.get("spec") or {}
    devices = spec.get("devices") or {}
    requests = [
        {**each, "exactly": {"allocationMode": "ExactCount", "count": 1, **each["exactly"]}}
        if "exactly" in each
        else each
        for each in devices.get("requests") or ()
    ]
    if not requests:
        return new
    return {**new, "spec": {**spec, "devices": {**devices, "requests": requests}}}


def _daemon_set(new: Object, old: Object | None) -> Object:
    spec = new.get("spec") or {}
    template = spec.get("template") or {}
    spec = {
        "revisionHistoryLimit": 10,
        **spec,
        "template": {**template, "spec": _pod_spec(template.get("spec") or {})},
        "updateStrategy": _strategy(spec.get("updateStrategy") or _ROLLING),
    }
    annotations = dict(new["metadata"].get("annotations") or {})
    if old is None:
        annotations[_GENERATION] = "1"
    else:
        count = int(old["metadata"]["annotations"].get(_GENERATION, "1"))
        annotations[_GENERATION] = str(count + (spec["template"] != old["spec"]["template"]))
    metadata = {**new["metadata"], "annotations": annotations}
    status = new.get("status") if old else dict(_NO_PODS)
    return {**new, "metadata": metadata, "spec": spec, "status": status}


def _strategy(strategy: Object) -> Object:
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return strategy
    rolling = {"maxUnavailable": 1, "maxSurge": 0, **(strategy.get("rollingUpdate") or {})}
    return {"type": "RollingUpdate", **strategy, "rollingUpdate": rolling}


def _pod_spec(spec: Object) -> Object:
    spec = {**_POD, **spec}
    for name in ("containers", "initContainers"):
        if name in spec:
            spec[name] = [_container(each) for each in spec[name]]
    if "serviceAccountName" in spec:
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    return spec


def _container(container: Object) -> Object:
    image = str(container.get("image", "")).rpartition("/")[2]
    is_latest = "@" not in image and image.partition(":")[2] in ("", "latest")
    policy = "Always" if is_latest else "IfNotPresent"
    result = {"imagePullPolicy": policy, **_CONTAINER, **container}
    if "ports" in container:
        result["ports"] = [{"protocol": "TCP", **port} for port in container["ports"]]
    return result


def causes(kind: Kind, new: Object, old: Object | None) -> Iterator[Cause]:
    """What is wrong with a built-in object."""
    if kind.kind in ("ConfigMap", "Secret"):
        for key in {**(new.get("data") or {}), **(new.get("binaryData") or {})}:
            if not _KEY.fullmatch(key):
                yield (
                    f"data[{key}]",
                    "FieldValueInvalid",
                    f"Invalid value: {quoted(key)}: {_NO_KEY}",
                )
    if kind == EVENTS:
        yield from _event_causes(new)
    if kind == DEFINITIONS:
        yield from _definition_causes(new)
    if kind != DAEMONSETS:
        return
    spec = new["spec"]
    selector = spec.get("selector") or {}
    labels = spec["template"].get("metadata", {}).get("labels") or {}
    if old is not None and old["spec"].get("selector") != selector:
        text = f"Invalid value: {quoted(selector)}: field is immutable"
        yield "spec.selector", "FieldValueInvalid", text
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    if not selector or any(labels.get(key) != value for key, value in wanted.items()):
        text = (
            f"Invalid value: {quoted(labels or None)}: `selector` does not match template `labels`"
        )
        yield "spec.template.metadata.labels", "FieldValueInvalid", text
    if not spec["template"]["spec"].get("containers"):
        yield "spec.template.spec.containers", "FieldValueRequired", "Required value"


def _event_causes(new: Object) -> Iterator[Cause]:
    """An event is in the namespace of its object, or in ``default`` if that is in none."""
    about = (new.get("involvedObject") or {}).get("namespace") or ""
    if new["metadata"].get("namespace") != (about or "default"):
        text = f"Invalid value: {quoted(about)}: does not match event.namespace"
        yield "involvedObject.namespace", "FieldValueInvalid", text


def _definition_causes(new: Object) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    names = spec.get("names") or {}
    if new["metadata"].get("name") != f"{names.get('plural')}.{spec.get('group')}":
        text = f"Invalid value: {quoted(new['metadata'].get('name'))}: must be "
        yield "metadata.name", "FieldValueInvalid", f'{text}spec.names.plural+"."+spec.group'
    for field, value in (
        ("spec.group", spec.get("group")),
        ("spec.scope", spec.get("scope")),
        ("spec.names.plural", names.get("plural")),
        ("spec.names.kind", names.get("kind")),
    ):
        if not value:
            yield field, "FieldValueRequired", "Required value"
    if sum(bool(version.get("storage")) for version in spec.get("versions") or ()) != 1:
        text = "Invalid value: null: must have exactly one version marked as storage version"
        yield "spec.versions", "FieldValueInvalid", text
