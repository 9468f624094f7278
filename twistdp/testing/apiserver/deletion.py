"""What becomes of an object that is deleted."""

from collections.abc import Callable
from typing import Any

from twistdp.testing.apiserver import refusals
from twistdp.testing.apiserver.kinds import DEFINITIONS, NAMESPACES, Kind
from twistdp.testing.apiserver.metadata import less
from twistdp.testing.apiserver.store import Stored

Object = dict[str, Any]

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""It keeps a deleted definition until the objects of its kind are gone."""
_FINALIZERS = {"Foreground": [FOREGROUND], "Orphan": [ORPHAN], "Background": []}


def check_preconditions(kind: Kind, stored: Stored, wanted: Object) -> None:
    """Refuse to delete another object, or another version; raises `ApiRefused`."""
    name = stored.metadata["name"]
    uid, version = wanted.get("uid"), wanted.get("resourceVersion")
    if uid not in (None, stored.metadata["uid"]):
        why = (
            f"the UID in the precondition ({uid}) does not match the UID in record "
            f"({stored.metadata['uid']}). The object might have been deleted and then recreated"
        )
        raise refusals.conflict(kind.as_kind(), name, why)
    if version not in (None, str(stored.revision)):
        why = (
            f"the ResourceVersion in the precondition ({version}) does not match the "
            f"ResourceVersion in record ({stored.revision}). The object might have been modified"
        )
        raise refusals.conflict(kind.as_kind(), name, why)


def deleted(
    kind: Kind, stored: Stored, options: Object, time: Callable[[int], str]
) -> tuple[Object, bool]:
    """The deleted object, and whether it is gone at once; `time` is that in so many seconds."""
    old = stored.metadata
    finalizers = _finalizers(old.get("finalizers") or [], options)
    if kind == DEFINITIONS and "deletionTimestamp" not in old:
        finalizers = [*finalizers, CLEANUP]
    grace = _grace(kind, stored.object, options)
    metadata = {**old, "finalizers": finalizers} if finalizers else less(old, "finalizers")
    new = {**stored.object, "metadata": metadata}
    if not finalizers and not grace and kind != NAMESPACES:
        return new, True
    is_first = "deletionTimestamp" not in old
    if is_first or grace < old.get("deletionGracePeriodSeconds", 0):
        metadata["deletionTimestamp"] = time(grace)
        metadata["deletionGracePeriodSeconds"] = grace
    if is_first and kind.generation and kind != DEFINITIONS:
        metadata["generation"] = old["generation"] + 1
    if kind == NAMESPACES:
        new["status"] = {**new.get("status", {}), "phase": "Terminating"}
    return new, False


def is_over(kind: Kind, obj: Object) -> bool:
    """Whether nothing keeps a deleted object any more."""
    metadata = obj["metadata"]
    return (
        "deletionTimestamp" in metadata
        and not metadata.get("finalizers")
        and not metadata.get("deletionGracePeriodSeconds")
        and not (kind == NAMESPACES and obj["spec"].get("finalizers"))
    )


def _finalizers(known: list[str], options: Object) -> list[str]:
    policy = options.get("propagationPolicy")
    if policy is None:
        return known
    if policy not in _FINALIZERS:
        raise refusals.bad_request(f"invalid DeleteOptions: propagationPolicy {policy!r}")
    return [each for each in known if each not in (FOREGROUND, ORPHAN)] + _FINALIZERS[policy]


def _grace(kind: Kind, obj: Object, options: Object) -> int:
    """How long an object's node has to end it."""
    if not kind.graceful:
        return 0
    spec, phase = obj.get("spec") or {}, (obj.get("status") or {}).get("phase")
    if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    asked = options.get("gracePeriodSeconds")
    return int(spec.get("terminationGracePeriodSeconds", 30) if asked is None else asked)
