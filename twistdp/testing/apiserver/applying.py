"""What is applied: whether it fits its kind, and which part of it counts."""

from typing import Any

from twistdp.testing.apiserver import refusals, schemas
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
    wrong = [f"{path}: duplicate entries for key {key}" for path, key in _repeated(kind, config)]
    if kind.custom:
        schema = kind.schema(version)
        unknown = schemas.undeclared(config, schema)
        wrong = [*(f"{path}: field not declared in schema" for path in unknown), *wrong]
    if wrong:
        metadata = config["metadata"]
        about = (
            f"({metadata.get('namespace', '')}/{metadata['name']}; {kind.api_version(version)}, "
            f"Kind={kind.kind})"
        )
        message = f"failed to create typed patch object {about}: {wrong[0]}"
        raise refusals.ApiRefused(500, "", message)


def _repeated(kind: Kind, config: Object) -> list[tuple[str, str]]:
    return list(repeated(config, shape_of(kind, "")))


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
