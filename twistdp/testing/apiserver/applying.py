"""What is applied: whether it fits its kind, and which part of it counts."""

from collections.abc import Iterator
from typing import Any

from twistdp.testing.apiserver import refusals, schemas, types
from twistdp.testing.apiserver.fields import repeated
from twistdp.testing.apiserver.kinds import Kind
from twistdp.testing.apiserver.shapes import shape_of

Object = dict[str, Any]


def check_request(kind: Kind, name: str, config: Object, manager: str) -> None:
    """Refuse a request that does not say who applies what; raises `ApiRefused`."""
    if not manager:
        text = "Required value: is required for apply patch"
        raise refusals.invalid(kind, "", [("fieldManager", "FieldValueRequired", text)])
    metadata = config["metadata"]
    if metadata.get("managedFields"):
        raise refusals.bad_request("metadata.managedFields must be nil")
    if metadata.setdefault("name", name) != name:
        raise refusals.bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL "
            f"({name})"
        )


def check_fields(kind: Kind, version: str, config: Object) -> None:
    """Refuse unknown fields of a custom kind, and items that are there twice.

    Raises `ApiRefused`, with status 500, as the real server has it.
    """
    if wrong := next(_wrong(kind, version, config), ""):
        metadata = config["metadata"]
        about = (
            f"({metadata.get('namespace', '')}/{metadata['name']}; {kind.group}/{version}, "
            f"Kind={kind.kind})"
        )
        message = f"failed to create typed patch object {about}: {wrong}"
        raise refusals.ApiRefused(500, "", message)


def _wrong(kind: Kind, version: str, config: Object) -> Iterator[str]:
    if text := types.mistyped(kind, config):
        yield text
    if kind.custom:
        for path in schemas.undeclared(config, kind.schema(version)):
            yield f"{path}: field not declared in schema"
    for path, key in repeated(config, shape_of(kind, version)):
        yield f"{path}: duplicate entries for key {key}"


def check_new(kind: Kind, name: str, config: Object) -> None:
    """What is applied to an object with a uid creates none; raises `ApiRefused`."""
    if uid := config["metadata"].get("uid"):
        raise refusals.conflict(
            kind,
            name,
            f"uid mismatch: the provided object specified uid {uid}, and no existing object was "
            "found",
        )
    config["metadata"].pop("resourceVersion", None)


def counted(kind: Kind, config: Object, subresource: str) -> Object:
    """The part of a configuration that is about an object, or about its status."""
    if subresource and kind.custom:
        names = ("apiVersion", "kind", "metadata", subresource)
        metadata = {
            name: value
            for name, value in config["metadata"].items()
            if name in ("name", "namespace", "uid", "resourceVersion")
        }
        return {**{k: v for k, v in config.items() if k in names}, "metadata": metadata}
    left_out = "spec" if subresource else "status" if kind.status else ""
    return {name: value for name, value in config.items() if name != left_out}
