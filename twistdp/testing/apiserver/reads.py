"""Lists of objects, in pages and at versions."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import attrs

from twistdp.testing.apiserver.kinds import Kind
from twistdp.testing.apiserver.refusals import ApiRefused, bad_request, expired, too_large
from twistdp.testing.apiserver.selectors import Selector, by_fields, by_labels
from twistdp.testing.apiserver.store import Store, Stored

OLD_PAGE = (
    "The provided continue parameter is too old to display a consistent list result. You can start "
    "a new list without the continue parameter, or use the continue token in this response to "
    "retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)
OLD_VERSION = "The resourceVersion for the provided list is too old."
NOW = -1
"""The version of a token that goes on with whatever is there."""


@attrs.frozen
class Scope:
    """Which objects of a kind a request is about."""

    kind: Kind
    namespace: str
    labels: Selector | None
    fields: Selector | None

    @classmethod
    def of(cls, kind: Kind, namespace: str, query: Mapping[str, str]) -> "Scope":
        """The scope that a request's query asks for; raises `ApiRefused`."""
        return cls(
            kind,
            namespace,
            by_labels(query.get("labelSelector", "")),
            by_fields(kind, query.get("fieldSelector", "")),
        )

    @property
    def is_all(self) -> bool:
        """Whether there is no selector."""
        return self.labels is None and self.fields is None

    def has(self, stored: Stored | None) -> bool:
        """Whether an object is in it."""
        return (
            stored is not None
            and (not self.namespace or stored.place[0] == self.namespace)
            and (self.labels is None or self.labels(stored.object))
            and (self.fields is None or self.fields(stored.object))
        )


@attrs.frozen
class Page:
    """A part of a list, with the list's metadata."""

    items: list[Stored]
    metadata: dict[str, Any]


def number(text: str) -> int:
    """A number of a request; raises `ApiRefused`."""
    try:
        return int(text)
    except ValueError as error:
        message = f'strconv.ParseInt: parsing "{text}": invalid syntax'
        raise bad_request(message) from error


def version_of(text: str) -> int:
    """A resource version of a request; raises `ApiRefused`."""
    if not text.isdecimal():
        raise bad_request(
            f'invalid resource version: resourceVersion: Invalid value: "{text}": '
            f'strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    return int(text)


def page(store: Store, scope: Scope, query: Mapping[str, str]) -> Page:
    """The list that a request asks for; raises `ApiRefused`."""
    shelf = store.shelf(scope.kind)
    revision, start = store.revision, ("", "")
    limit = number(query.get("limit") or "0")
    asked, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    objects = shelf.objects
    if token := query.get("continue", ""):
        revision, start = _continued(token)
        if revision == NOW:
            revision = store.revision
        try:
            objects = shelf.at(revision)
        except ApiRefused as error:
            refusal = expired(OLD_PAGE)
            refusal.status["metadata"] = {"continue": _token(NOW, start)}
            raise refusal from error
    elif asked:
        wanted = version_of(asked)
        if wanted > store.revision:
            raise too_large(wanted, store.revision)
        if match == "Exact":
            try:
                revision, objects = wanted, shelf.at(wanted)
            except ApiRefused as error:
                raise expired(OLD_VERSION) from error
    places = sorted(place for place in objects if place > start)
    found = [objects[place] for place in places if scope.has(objects[place])]
    metadata: dict[str, Any] = {"resourceVersion": str(revision)}
    if limit and len(found) > limit:
        metadata["continue"] = _token(revision, found[limit - 1].place)
        if scope.is_all:
            metadata["remainingItemCount"] = len(found) - limit
        found = found[:limit]
    return Page(found, metadata)


def _token(revision: int, place: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([revision, *place]).encode()).decode()


def _continued(token: str) -> tuple[int, tuple[str, str]]:
    try:
        revision, namespace, name = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise bad_request("continue key is not valid") from error
    return revision, (namespace, name)
