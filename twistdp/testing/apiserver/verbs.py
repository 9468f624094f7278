"""Does what requests ask for."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from twistdp.testing.apiserver import applying, managers, refusals
from twistdp.testing.apiserver.calls import Answer, Asked, Target, list_of
from twistdp.testing.apiserver.kinds import Kind
from twistdp.testing.apiserver.managers import APPLY, Manager
from twistdp.testing.apiserver.patches import BadPatch, json_patched, merge_patched
from twistdp.testing.apiserver.reads import Scope, page
from twistdp.testing.apiserver.record import WRITES, ApiCall
from twistdp.testing.apiserver.registry import Registry
from twistdp.testing.apiserver.shapes import shape_of
from twistdp.testing.apiserver.store import Store, Stored
from twistdp.testing.apiserver.strategic import strategic_patched
from twistdp.testing.apiserver.types import check_types
from twistdp.testing.apiserver.watches import Watch
from twistdp.testing.apiserver.writes import Way, Writes

Object = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class Verbs:
    """The verbs of the API over a store."""

    def __init__(self, store: Store, registry: Registry, writes: Writes) -> None:
        self._store = store
        self._registry = registry
        self._writes = writes

    def answer(self, asked: Asked, target: Target, call: ApiCall) -> Answer | Watch:
        """Do what a request asks for; raises `ApiRefused`."""
        kind = self._registry.get(target.group, target.plural, target.version)
        if kind is None or (target.subresource and not _has(kind, target.subresource)):
            raise refusals.no_such_path()
        if target.namespace and not kind.namespaced:
            raise refusals.no_such_path()
        namespace = target.namespace
        if kind.namespaced and not namespace and (target.name or call.is_write):
            raise refusals.not_allowed()
        if not target.name and call.verb in ("update", "patch", "apply"):
            raise refusals.not_allowed()
        if call.verb in ("list", "watch"):
            query = dict(asked.query)
            if target.name:
                query["fieldSelector"] = f"metadata.name={target.name}"
            scope = Scope.of(kind, namespace, query)
            if call.verb == "watch":
                return Watch(self._store, scope, kind.api_version(target.version), query)
            return self._list(scope, target, query)
        act = getattr(self, f"_{call.verb}", None)
        if act is None or call.verb not in (*WRITES, "apply", "get"):
            raise refusals.not_allowed()
        way = Way(
            target.version,
            call.manager,
            target.subresource,
            call.dry_run,
            asked.query.get("force", "") in ("1", "true"),
            asked.method == "PATCH",
        )
        answer: Answer = act(kind, target, asked, way)
        return answer

    def _list(self, scope: Scope, target: Target, query: Mapping[str, str]) -> Answer:
        found = page(self._store, scope, query)
        # Items of built-in kinds have neither kind nor version.
        version = scope.kind.api_version(target.version) if scope.kind.custom else ""
        items = [stored.json(version) for stored in found.items]
        return Answer(200, list_of(scope.kind, target.version, items, found.metadata))

    def _get(self, kind: Kind, target: Target, asked: Asked, way: Way) -> Answer:
        return _shown(kind, target, self._writes.stored(kind, target.namespace, target.name))

    def _create(self, kind: Kind, target: Target, asked: Asked, way: Way) -> Answer:
        if target.name:
            raise refusals.not_allowed()
        obj = _object(kind, target, asked.parsed(), is_whole=True)
        return _shown(kind, target, self._writes.create(kind, target.namespace, obj, way), 201)

    def _update(self, kind: Kind, target: Target, asked: Asked, way: Way) -> Answer:
        obj = _object(kind, target, asked.parsed(), is_whole=True)
        if kind.by_update and self._store.get(kind, target.namespace, target.name) is None:
            obj["metadata"].pop("resourceVersion", None)
            return _shown(kind, target, self._writes.create(kind, target.namespace, obj, way), 201)
        stored = self._writes.change(
            kind, target.namespace, target.name, lambda old: (obj, None), way
        )
        return _shown(kind, target, stored)

    def _patch(self, kind: Kind, target: Target, asked: Asked, way: Way) -> Answer:
        patched = self._patcher(kind, asked)

        def edit(stored: Stored) -> tuple[Object, None]:
            shown = {**stored.object, "apiVersion": kind.api_version(target.version)}
            return _object(kind, target, patched(shown)), None

        return _shown(
            kind, target, self._writes.change(kind, target.namespace, target.name, edit, way)
        )

    def _patcher(self, kind: Kind, asked: Asked) -> Callable[[Object], Any]:
        accepted = [JSON_PATCH, MERGE_PATCH, *([] if kind.custom else [STRATEGIC]), APPLY_PATCH]
        if asked.content_type not in accepted:
            raise refusals.unsupported_media(accepted)
        patch = asked.parsed()
        if asked.content_type == MERGE_PATCH:
            return lambda obj: merge_patched(obj, patch)
        if asked.content_type == STRATEGIC:
            return lambda obj: strategic_patched(obj, patch, shape_of(kind, ""))

        def by_operations(obj: Object) -> Any:
            try:
                return json_patched(obj, patch)
            except BadPatch as error:
                message = "the server rejected our request due to an error in our request"
                raise refusals.ApiRefused(422, "Invalid", message) from error

        return by_operations

    def _apply(self, kind: Kind, target: Target, asked: Asked, way: Way) -> Answer:
        config = _object(kind, target, asked.parsed(), is_whole=True, is_applied=True)
        applying.check_request(kind, target.name, config, asked.query.get("fieldManager", ""))
        applying.check_fields(kind, target.version, config)
        config = applying.counted(kind, config, target.subresource)
        shape = shape_of(kind, target.version)
        me = self._writes.me(kind, way, APPLY)
        place = target.namespace, target.name
        if self._store.get(kind, *place) is None and not way.subresource:
            applying.check_new(kind, target.name, config)
            _, owners = managers.applied((), {}, config, shape, me, False)
            stored = self._writes.create(kind, target.namespace, config, way, owners)
            return _shown(kind, target, stored, 201)

        def edit(stored: Stored) -> tuple[Object, tuple[Manager, ...]]:
            return managers.applied(stored.managers, stored.object, config, shape, me, way.force)

        return _shown(kind, target, self._writes.change(kind, *place, edit, way))

    def _delete(self, kind: Kind, target: Target, asked: Asked, way: Way) -> Answer:
        stored = self._writes.stored(kind, target.namespace, target.name)
        last, is_gone = self._writes.delete(kind, stored, _options(asked), way)
        if not is_gone or kind.graceful:
            return _shown(kind, target, last)
        details = {"name": target.name, "group": kind.group, "kind": kind.plural}
        return Answer.of(
            {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "details": {
                    **{key: value for key, value in details.items() if value},
                    "uid": last.metadata["uid"],
                },
            }
        )

    def _deletecollection(self, kind: Kind, target: Target, asked: Asked, way: Way) -> Answer:
        scope = Scope.of(kind, target.namespace, asked.query)
        options = _options(asked)
        found = page(self._store, scope, asked.query)
        for stored in found.items:
            self._writes.delete(kind, stored, options, way)
        version = kind.api_version(target.version) if kind.custom else ""
        items = [stored.json(version) for stored in found.items]
        return Answer(200, list_of(kind, target.version, items, found.metadata))


def _has(kind: Kind, subresource: str) -> bool:
    return subresource == "status" and kind.status


def _shown(kind: Kind, target: Target, stored: Stored, code: int = 200) -> Answer:
    return Answer(code, stored.json(kind.api_version(target.version)))


def _object(
    kind: Kind, target: Target, value: Any, is_whole: bool = False, is_applied: bool = False
) -> Object:
    """What a client sends as an object of a kind, a whole one of its own; raises `ApiRefused`."""
    if not isinstance(value, dict):
        raise refusals.bad_request(
            f"the object provided is unrecognized (must be of type {kind.kind}): couldn't get "
            "version/kind; json parse error: it is no object"
        )
    version = kind.api_version(target.version)
    if is_whole and kind.custom and not value.get("kind"):
        raise refusals.bad_request(
            f"the object provided is unrecognized (must be of type {kind.kind}): Object 'Kind' is "
            "missing"
        )
    if value.get("apiVersion", version) != version:
        raise refusals.bad_request(
            f"the API version in the data ({value['apiVersion']}) does not match the expected API "
            f"version ({version})"
        )
    if value.get("kind", kind.kind) != kind.kind:
        raise refusals.bad_request(
            f'{value["kind"]} in version "{target.version}" cannot be handled as a {kind.kind}'
        )
    if not is_applied:
        check_types(kind, target.version, value)
    metadata = value.get("metadata")
    return {**value, "metadata": dict(metadata) if isinstance(metadata, dict) else {}}


def _options(asked: Asked) -> Object:
    """A deletion's options, from its body and its query."""
    options = dict(json.loads(asked.body)) if asked.body else {}
    for name in ("propagationPolicy", "gracePeriodSeconds"):
        if name in asked.query:
            options[name] = asked.query[name]
    return options
