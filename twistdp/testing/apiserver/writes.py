"""How objects are created, changed and deleted."""

import copy
import secrets
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import attrs

from twistdp.testing.apiserver import managers, refusals, rules
from twistdp.testing.apiserver.kinds import NAMESPACES, Kind
from twistdp.testing.apiserver.managers import UPDATE, Manager
from twistdp.testing.apiserver.shapes import shape_of
from twistdp.testing.apiserver.store import Store, Stored

Object = dict[str, Any]
Admit = Callable[[str, Kind, Object, Object | None], Object | None]
"""Called with ``CREATE``, ``UPDATE`` or ``DELETE``, the kind, the new and the old object.

It returns the object that is stored, None for the new one, or raises `ApiRefused`.
"""

_CHARACTERS = "bcdfghjklmnpqrstvwxz2456789"
_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


@attrs.frozen
class Way:
    """How a client writes: as which manager, with which version of the API, to what."""

    version: str = ""
    manager: str = "unknown"
    subresource: str = ""
    dry_run: bool = False
    force: bool = False
    is_patch: bool = False


Edit = Callable[[Stored], tuple[Object, tuple[Manager, ...] | None]]
"""Makes of what is stored the new object, and its owners if it decides on them."""


class Writes:
    """Changes the objects of a store by the rules of the API."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self.admission: list[Admit] = []
        self._store = store
        self._now = now

    def time(self, later: float = 0.0) -> str:
        """The time as objects have it."""
        moment = datetime.fromtimestamp(self._now() + later, UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def me(self, kind: Kind, way: Way, operation: str) -> Manager:
        """The writer as an owner, of nothing yet."""
        version = kind.api_version(way.version)
        return Manager(way.manager, operation, way.subresource, version, self.time(), frozenset())

    def stored(self, kind: Kind, namespace: str, name: str) -> Stored:
        """An object; raises `ApiRefused` if there is none."""
        found = self._store.get(kind, namespace, name)
        if found is None:
            raise refusals.not_found(kind, name)
        return found

    def create(
        self,
        kind: Kind,
        namespace: str,
        obj: Object,
        way: Way,
        owners: tuple[Manager, ...] | None = None,
    ) -> Stored:
        """Create an object; raises `ApiRefused`."""
        metadata = dict(obj.get("metadata") or {})
        if metadata.get("namespace", namespace) != namespace:
            raise refusals.bad_request(
                "the namespace of the provided object does not match the namespace sent on the "
                "request"
            )
        if kind.namespaced:
            metadata["namespace"] = namespace
            self._check_namespace(kind, namespace, str(metadata.get("name", "")))
        if metadata.pop("resourceVersion", "") not in ("", "0"):
            raise refusals.ApiRefused(
                500, "", "resourceVersion should not be set on objects to be created"
            )
        if not metadata.get("name") and metadata.get("generateName"):
            end = "".join(secrets.choice(_CHARACTERS) for _ in range(5))
            metadata["name"] = metadata["generateName"] + end
        name = str(metadata.get("name") or "")
        for generated in ("deletionTimestamp", "deletionGracePeriodSeconds", "managedFields"):
            metadata.pop(generated, None)
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": self.time()}
        if kind.generation:
            metadata["generation"] = 1
        else:
            metadata.pop("generation", None)
        new = {**obj, "apiVersion": kind.api_version(), "kind": kind.kind, "metadata": metadata}
        if kind.status and not kind.takes_status:
            new.pop("status", None)
        new = self._prepared("CREATE", kind, name, new, None, way)
        if self._store.get(kind, namespace, name):
            raise refusals.already_exists(kind, name)
        return self._save(kind, None, new, owners, way)

    def change(self, kind: Kind, namespace: str, name: str, edit: Edit, way: Way) -> Stored:
        """Change an object by a function; raises `ApiRefused`."""
        stored = self.stored(kind, namespace, name)
        new, owners = edit(stored)
        metadata = dict(new.get("metadata") or {})
        if metadata.get("name", name) != name:
            raise refusals.bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL "
                f"({name})"
            )
        if metadata.get("namespace", namespace) != namespace:
            raise refusals.bad_request(
                "the namespace of the provided object does not match the namespace sent on the "
                "request"
            )
        version = metadata.get("resourceVersion") or ""
        if version == "" and kind.custom:
            text = "Invalid value: 0: must be specified for an update"
            raise refusals.invalid(
                kind, name, [("metadata.resourceVersion", "FieldValueInvalid", text)]
            )
        if version not in ("", str(stored.revision)):
            raise refusals.conflict(kind, name)
        _check_uid(kind, stored, str(metadata.get("uid") or ""), way)
        new = self._kept(kind, stored, {**new, "metadata": metadata}, way)
        new = self._prepared("UPDATE", kind, name, new, stored.object, way)
        return self._save(kind, stored, new, owners, way)

    def delete(self, kind: Kind, stored: Stored, options: Object, way: Way) -> tuple[Stored, bool]:
        """Delete an object, or mark it as deleted; true once it is gone.  Raises `ApiRefused`."""
        self._check_preconditions(kind, stored, options.get("preconditions") or {})
        for admit in self.admission:
            admit("DELETE", kind, stored.object, stored.object)
        old = stored.metadata
        finalizers = _finalizers(old.get("finalizers") or [], options)
        grace = _grace(kind, stored.object, options)
        metadata = {**old, "finalizers": finalizers} if finalizers else _less(old, "finalizers")
        new = {**stored.object, "metadata": metadata}
        if not finalizers and not grace and kind != NAMESPACES:
            return (stored if way.dry_run else self._store.remove(kind, stored, new)), True
        if "deletionTimestamp" not in old:
            metadata["deletionTimestamp"] = self.time(grace)
            metadata["deletionGracePeriodSeconds"] = grace
            if kind.generation:
                metadata["generation"] = old["generation"] + 1
            if kind == NAMESPACES:
                new["status"] = {**new.get("status", {}), "phase": "Terminating"}
        elif grace < old.get("deletionGracePeriodSeconds", 0):
            metadata["deletionTimestamp"] = self.time(grace)
            metadata["deletionGracePeriodSeconds"] = grace
        if new == stored.object or way.dry_run:
            return stored, False
        return self._store.put(kind, new, stored.managers), False

    def _check_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        found = self._store.get(NAMESPACES, "", namespace)
        if found is None:
            raise refusals.not_found(NAMESPACES, namespace)
        if "deletionTimestamp" in found.metadata:
            message = (
                f'{kind.resource} "{name}" is forbidden: unable to create new content in '
                f"namespace {namespace} because it is being terminated"
            )
            raise refusals.ApiRefused(
                403, "Forbidden", message, {"name": name, "kind": kind.plural}
            )

    def _check_preconditions(self, kind: Kind, stored: Stored, wanted: Object) -> None:
        about, name = attrs.evolve(kind, plural=kind.kind), stored.metadata["name"]
        uid, version = wanted.get("uid"), wanted.get("resourceVersion")
        if uid not in (None, stored.metadata["uid"]):
            why = (
                f"the UID in the precondition ({uid}) does not match the UID in record "
                f"({stored.metadata['uid']}). The object might have been deleted and then recreated"
            )
            raise refusals.conflict(about, name, why)
        if version not in (None, str(stored.revision)):
            why = (
                f"the ResourceVersion in the precondition ({version}) does not match the "
                f"ResourceVersion in record ({stored.revision}). "
                "The object might have been modified"
            )
            raise refusals.conflict(about, name, why)

    def _kept(self, kind: Kind, stored: Stored, new: Object, way: Way) -> Object:
        """The new object with what such a write cannot change."""
        old = stored.object
        metadata = new["metadata"]
        if way.subresource:
            if kind.custom:
                metadata = dict(old["metadata"])
            new = {**old, "metadata": metadata, "status": new.get("status")}
            if new["status"] is None:
                del new["status"]
        elif kind.status:
            new = _less(new, "status")
            if "status" in old:
                new["status"] = old["status"]
        for name in _KEPT:
            metadata.pop(name, None)
            if name in old["metadata"]:
                metadata[name] = old["metadata"][name]
        metadata |= {"name": old["metadata"]["name"]}
        if kind.namespaced:
            metadata["namespace"] = old["metadata"]["namespace"]
        metadata.pop("managedFields", None)
        metadata.pop("resourceVersion", None)
        metadata.pop("generation", None)
        if kind.generation:
            metadata["generation"] = old["metadata"]["generation"]
        return {
            **new,
            "apiVersion": kind.api_version(),
            "kind": kind.kind,
            "metadata": metadata,
        }

    def _prepared(
        self, operation: str, kind: Kind, name: str, new: Object, old: Object | None, way: Way
    ) -> Object:
        """The object with defaults, admitted and found valid."""
        new = _tidied(new)
        if not kind.custom:
            new = rules.with_defaults(kind, new, old)
        for admit in self.admission:
            new = admit(operation, kind, copy.deepcopy(new), old) or new
        causes = []
        if not name:
            text = "Required value: name or generateName is required"
            causes.append(("metadata.name", "FieldValueRequired", text))
        elif old is None:
            causes += rules.name_causes(kind, name)
        elif "deletionTimestamp" in old["metadata"]:
            known = old["metadata"].get("finalizers") or []
            added = [each for each in new["metadata"].get("finalizers") or [] if each not in known]
            if added:
                listed = ", ".join(f'"{each}"' for each in added)
                text = (
                    "Forbidden: no new finalizers can be added if the object is being deleted, "
                    f"found new finalizers []string{{{listed}}}"
                )
                causes.append(("metadata.finalizers", "FieldValueForbidden", text))
        causes += rules.causes(kind, new, old)
        if causes:
            raise refusals.invalid(kind, name, causes)
        if old is not None and kind.generation and _spec(kind, new) != _spec(kind, old):
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        return new

    def _save(
        self,
        kind: Kind,
        stored: Stored | None,
        new: Object,
        owners: tuple[Manager, ...] | None,
        way: Way,
    ) -> Stored:
        old = stored.object if stored else None
        known = stored.managers if stored else ()
        if owners is None:
            me = self.me(kind, way, UPDATE)
            owners = managers.updated(known, old, new, shape_of(kind, kind.versions[0]), me)
        if stored and owners == known and _plain(new) == _plain(stored.object):
            return stored
        if owners:
            new["metadata"]["managedFields"] = [manager.shown() for manager in owners]
        if way.dry_run:
            revision = stored.revision if stored else 0
            if stored:
                new["metadata"]["resourceVersion"] = str(revision)
            return Stored(new, revision, owners)
        if stored and _is_over(kind, new):
            return self._store.remove(kind, stored, new)
        return self._store.put(kind, new, owners)


def _check_uid(kind: Kind, stored: Stored, uid: str, way: Way) -> None:
    """An update is about the object with its uid, and no patch changes that."""
    if uid in ("", stored.metadata["uid"]):
        return
    if way.is_patch:
        cause = (
            "metadata.uid",
            "FieldValueInvalid",
            f"Invalid value: {rules.quoted(uid)}: field is immutable",
        )
        raise refusals.invalid(kind, stored.metadata["name"], [cause])
    why = (
        f"Precondition failed: UID in precondition: {uid}, "
        f"UID in object meta: {stored.metadata['uid']}"
    )
    raise refusals.conflict(kind, stored.metadata["name"], why)


def _less(obj: Object, name: str) -> Object:
    return {key: value for key, value in obj.items() if key != name}


def _plain(obj: Object) -> Object:
    """What makes an object differ from another."""
    metadata = {
        name: value
        for name, value in obj["metadata"].items()
        if name not in ("managedFields", "resourceVersion")
    }
    return {**obj, "metadata": metadata}


def _spec(kind: Kind, obj: Object) -> Object:
    """What `generation` counts changes of."""
    other = ("metadata", "status") if kind.status else ("metadata",)
    return {name: value for name, value in obj.items() if name not in other}


def _tidied(obj: Object) -> Object:
    """Without metadata that are empty."""
    metadata = {name: value for name, value in obj["metadata"].items() if value or value == 0}
    return {**obj, "metadata": metadata}


def _is_over(kind: Kind, obj: Object) -> bool:
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
    kept = [each for each in known if each not in ("foregroundDeletion", "orphan")]
    more = {"Foreground": ["foregroundDeletion"], "Orphan": ["orphan"], "Background": []}
    if policy not in more:
        raise refusals.bad_request(f"invalid DeleteOptions: propagationPolicy {policy!r}")
    return kept + more[policy]


def _grace(kind: Kind, obj: Object, options: Object) -> int:
    """How long an object's node has to end it."""
    if not kind.graceful:
        return 0
    spec, phase = obj.get("spec") or {}, (obj.get("status") or {}).get("phase")
    if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    asked = options.get("gracePeriodSeconds")
    return int(spec.get("terminationGracePeriodSeconds", 30) if asked is None else asked)
