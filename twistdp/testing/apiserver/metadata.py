"""What the API server decides about an object's metadata, and what clients may not."""

import secrets
import uuid
from collections.abc import Iterator
from typing import Any

from twistdp.testing.apiserver import labels, refusals, rules
from twistdp.testing.apiserver.kinds import NAMESPACES, Kind
from twistdp.testing.apiserver.rules import Cause
from twistdp.testing.apiserver.store import Stored

Object = dict[str, Any]

_CHARACTERS = "bcdfghjklmnpqrstvwxz2456789"
_KEPT = (
    "name", "namespace", "uid", "creationTimestamp", "deletionTimestamp",
    "deletionGracePeriodSeconds", "generation",
)  # fmt: skip
_GENERATED = (
    "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
    "managedFields", "resourceVersion", "uid",
)  # fmt: skip


def generated(kind: Kind, namespace: str, obj: Object, time: str) -> Object:
    """The metadata of a new object; raises `ApiRefused`."""
    sent = obj.get("metadata") or {}
    _check_namespace(namespace, sent)
    if sent.get("resourceVersion", "") not in ("", "0"):
        message = "resourceVersion should not be set on objects to be created"
        raise refusals.ApiRefused(500, "", message)
    metadata = less(sent, *_GENERATED)
    if kind.namespaced:
        metadata["namespace"] = namespace
    if not metadata.get("name") and metadata.get("generateName"):
        end = "".join(secrets.choice(_CHARACTERS) for _ in range(5))
        metadata["name"] = metadata["generateName"] + end
    metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": time}
    if kind.generation:
        metadata["generation"] = 1
    return _tidied(metadata)


def kept(kind: Kind, stored: Stored, new: Object, is_patch: bool) -> Object:
    """The metadata of an object that is changed to `new`; raises `ApiRefused`."""
    old, sent = stored.metadata, new.get("metadata") or {}
    if sent.get("name", old["name"]) != old["name"]:
        raise refusals.bad_request(
            f"the name of the object ({sent['name']}) does not match the name on the URL "
            f"({old['name']})"
        )
    _check_namespace(stored.place[0], sent)
    version = sent.get("resourceVersion") or ""
    if version == "" and kind.custom:
        text = "Invalid value: 0: must be specified for an update"
        raise refusals.invalid(
            kind.as_plural(),
            old["name"],
            [("metadata.resourceVersion", "FieldValueInvalid", text)],
        )
    if version not in ("", str(stored.revision)):
        raise refusals.conflict(kind, old["name"])
    if sent.get("uid") not in (None, "", old["uid"]):
        raise _wrong_uid(kind, old, str(sent["uid"]), is_patch)
    kept = {name: old[name] for name in _KEPT if name in old}
    return _tidied({**less(sent, *_GENERATED), **kept})


def _check_namespace(namespace: str, metadata: Object) -> None:
    if metadata.get("namespace", namespace) not in ("", namespace):
        raise refusals.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def _wrong_uid(kind: Kind, old: Object, uid: str, is_patch: bool) -> refusals.ApiRefused:
    """An update is about the object with its uid, and no patch changes that."""
    if is_patch:
        text = f"Invalid value: {rules.quoted(uid)}: field is immutable"
        return refusals.invalid(kind, old["name"], [("metadata.uid", "FieldValueInvalid", text)])
    why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['uid']}"
    return refusals.conflict(kind, old["name"], why)


def check_place(kind: Kind, name: str, namespace: str, found: Stored | None) -> None:
    """Nothing is created in a namespace that is not there, or is going; raises `ApiRefused`."""
    if found is None:
        raise refusals.not_found(NAMESPACES, namespace)
    if "deletionTimestamp" in found.metadata:
        message = (
            f'{kind.resource} "{name}" is forbidden: unable to create new content in namespace '
            f"{namespace} because it is being terminated"
        )
        details = {"name": name, "group": kind.group, "kind": kind.plural}
        raise refusals.ApiRefused(403, "Forbidden", message, details)


def causes(kind: Kind, new: Object, old: Object | None) -> Iterator[Cause]:
    """What is wrong with an object's metadata."""
    name = new["metadata"].get("name")
    if not name:
        text = "Required value: name or generateName is required"
        yield "metadata.name", "FieldValueRequired", text
    elif old is None:
        yield from rules.name_causes(kind, name)
    yield from labels.causes(new["metadata"])
    if old is not None and "deletionTimestamp" in old["metadata"]:
        known = old["metadata"].get("finalizers") or []
        added = [each for each in new["metadata"].get("finalizers") or [] if each not in known]
        if added:
            listed = ", ".join(f'"{each}"' for each in added)
            text = (
                "Forbidden: no new finalizers can be added if the object is being deleted, found "
                f"new finalizers []string{{{listed}}}"
            )
            yield "metadata.finalizers", "FieldValueForbidden", text


def less(obj: Object, *names: str) -> Object:
    """An object without some of its fields."""
    return {key: value for key, value in obj.items() if key not in names}


def _tidied(metadata: Object) -> Object:
    """Without what is empty."""
    return {name: value for name, value in metadata.items() if value or value == 0}
