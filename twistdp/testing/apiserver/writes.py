"""How objects are created, changed and deleted."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import attrs

from twistdp.testing.apiserver import deletion, managers, metadata, refusals, rules, schemas, types
from twistdp.testing.apiserver.kinds import NAMESPACES, Kind
from twistdp.testing.apiserver.managers import UPDATE, Manager
from twistdp.testing.apiserver.metadata import less
from twistdp.testing.apiserver.shapes import shape_of
from twistdp.testing.apiserver.store import Store, Stored

Object = dict[str, Any]
Admit = Callable[[str, Kind, Object, Object | None], Object | None]
"""Called with ``CREATE``, ``UPDATE`` or ``DELETE``, the kind, the new and the old object.

It returns the object that is stored, None for the new one, or raises `ApiRefused`.
"""


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
        """The time in so many seconds, as objects have it."""
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
        """Create an object, with `owners` unless it is simply the writer's; raises `ApiRefused`."""
        made = metadata.generated(kind, namespace, obj, self.time())
        name = str(made.get("name", ""))
        if kind.namespaced:
            place = self._store.get(NAMESPACES, "", namespace)
            metadata.check_place(kind, name, namespace, place)
        new = {**obj, "apiVersion": kind.api_version(), "kind": kind.kind, "metadata": made}
        if kind.status and not kind.takes_status:
            new.pop("status", None)
        new = self._prepared("CREATE", kind, new, None, way)
        if self._store.get(kind, namespace, name):
            raise refusals.already_exists(kind, name)
        return self._save(kind, None, new, owners, way)

    def change(self, kind: Kind, namespace: str, name: str, edit: Edit, way: Way) -> Stored:
        """Change an object by a function; raises `ApiRefused`."""
        stored = self.stored(kind, namespace, name)
        new, owners = edit(stored)
        known = stored.managers
        if not way.subresource:
            known = managers.sent((new.get("metadata") or {}).get("managedFields"), known)
        kept = metadata.kept(kind, stored, new, way.is_patch)
        new = {**new, "apiVersion": kind.api_version(), "kind": kind.kind, "metadata": kept}
        new = self._prepared("UPDATE", kind, _separated(kind, stored, new, way), stored, way)
        return self._save(kind, stored, new, owners, way, known)

    def delete(self, kind: Kind, stored: Stored, options: Object, way: Way) -> tuple[Stored, bool]:
        """Delete an object, or mark it as deleted; true once it is gone.  Raises `ApiRefused`."""
        deletion.check_preconditions(kind, stored, options.get("preconditions") or {})
        for admit in self.admission:
            admit("DELETE", kind, stored.object, stored.object)
        new, is_gone = deletion.deleted(kind, stored, options, self.time)
        if way.dry_run or (new == stored.object and not is_gone):
            return stored, is_gone
        if is_gone:
            return self._store.remove(kind, stored, new), True
        return self._store.put(kind, new, stored.managers), False

    def _prepared(
        self, operation: str, kind: Kind, new: Object, stored: Stored | None, way: Way
    ) -> Object:
        """The object with defaults, admitted and found valid."""
        old = stored.object if stored else None
        schema = kind.schema(way.version)
        if kind.custom:
            new = schemas.completed(new, schema)
        else:
            new = rules.with_defaults(kind, types.without_empty(kind, new), old)
        for admit in self.admission:
            new = admit(operation, kind, copy.deepcopy(new), old) or new
        causes = [*metadata.causes(kind, new, old), *rules.causes(kind, new, old)]
        if kind.custom:
            causes += dict.fromkeys(schemas.causes(new, schema))
        if causes:
            raise refusals.invalid(kind, new["metadata"].get("name", ""), causes)
        if old is not None and kind.generation and _counted(kind, new) != _counted(kind, old):
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        return new

    def _save(
        self,
        kind: Kind,
        stored: Stored | None,
        new: Object,
        owners: tuple[Manager, ...] | None,
        way: Way,
        known: tuple[Manager, ...] = (),
    ) -> Stored:
        old = stored.object if stored else None
        if owners is None:
            me = self.me(kind, way, UPDATE)
            owners = managers.updated(known, old, new, shape_of(kind, way.version), me)
        if stored and owners == stored.managers and _plain(new) == _plain(stored.object):
            return stored
        if owners:
            new["metadata"]["managedFields"] = [manager.shown() for manager in owners]
        if way.dry_run:
            if stored:
                new["metadata"]["resourceVersion"] = str(stored.revision)
            return Stored(new, stored.revision if stored else 0, owners)
        if stored and deletion.is_over(kind, new):
            return self._store.remove(kind, stored, new)
        return self._store.put(kind, new, owners)


def _separated(kind: Kind, stored: Stored, new: Object, way: Way) -> Object:
    """The new object where its status, or all but that, is as before."""
    old = stored.object
    if way.subresource:
        # A built-in object's labels can be changed through its status, a custom one's cannot.
        kept = less(old["metadata"], "managedFields", "resourceVersion")
        result = {**old, "metadata": kept if kind.custom else new["metadata"]}
        source = new
    elif kind.status:
        result, source = less(new, "status"), old
    else:
        return new
    return {**less(result, "status"), **{k: v for k, v in source.items() if k == "status"}}


def _plain(obj: Object) -> Object:
    """What makes an object differ from another."""
    return {**obj, "metadata": less(obj["metadata"], "managedFields", "resourceVersion")}


def _counted(kind: Kind, obj: Object) -> Object:
    """What `generation` counts changes of."""
    return less(obj, "metadata", *(("status",) if kind.status else ()))
