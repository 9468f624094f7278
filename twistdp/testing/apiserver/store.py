"""The objects, their versions and the history of their changes, as etcd keeps them."""

import json
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import attrs

from twistdp.testing.apiserver.kinds import Kind
from twistdp.testing.apiserver.refusals import expired

Object = dict[str, Any]

KEPT = 20_000
"""Changes of a kind that are kept; older ones are compacted."""


@attrs.define(eq=False)
class Stored:
    """An object at a version; nobody may change it."""

    object: Object
    revision: int
    managers: tuple[Any, ...] = ()
    _json: dict[str, bytes] = attrs.field(factory=dict)

    @property
    def metadata(self) -> Object:
        """The object's metadata."""
        metadata: Object = self.object["metadata"]
        return metadata

    @property
    def place(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.metadata.get("namespace", ""), self.metadata["name"]

    def forget_json(self) -> None:
        """Free what `json` keeps, for an object that is replaced."""
        self._json.clear()

    def json(self, api_version: str) -> bytes:
        """The object as JSON at a version of its API; without version and kind if that is ""."""
        found = self._json.get(api_version)
        if found is None:
            if api_version:
                shown = {**self.object, "apiVersion": api_version}
            else:
                shown = {
                    name: value
                    for name, value in self.object.items()
                    if name not in ("apiVersion", "kind")
                }
            found = self._json[api_version] = json.dumps(shown, separators=(",", ":")).encode()
        return found


@attrs.frozen(eq=False)
class Change:
    """One change: of a creation `old` is None, of a removal `new` is.

    `last` is what a removed object looked like, with the version of its removal.
    """

    revision: int
    old: Stored | None
    new: Stored | None
    last: Stored | None = None

    def left(self) -> Stored:
        """The old object, as those see it go whose selector the new one does not match."""
        assert self.old is not None
        metadata = {**self.old.metadata, "resourceVersion": str(self.revision)}
        return Stored({**self.old.object, "metadata": metadata}, self.revision)


class Watcher(Protocol):
    """Follows the changes of a kind."""

    def happened(self, change: Change) -> None:
        """Take a change."""

    def end(self) -> None:
        """Be told that the kind is gone."""


class Shelf:
    """The objects of one kind."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Stored] = {}
        self.history: deque[Change] = deque()
        self.compacted = 0
        """The version up to which the history is gone."""
        self.watchers: set[Watcher] = set()

    def compact(self, revision: int) -> None:
        """Forget the changes up to a version."""
        while self.history and self.history[0].revision <= revision:
            self.history.popleft()
        self.compacted = max(self.compacted, revision)

    def since(self, revision: int) -> Iterator[Change]:
        """The changes after a version, oldest first; raises `ApiRefused` if they are forgotten."""
        if revision < self.compacted:
            raise expired(f"too old resource version: {revision} ({self.compacted})")
        behind = 0
        for change in reversed(self.history):
            if change.revision <= revision:
                break
            behind += 1
        start = len(self.history) - behind
        return (self.history[index] for index in range(start, len(self.history)))

    def at(self, revision: int) -> dict[tuple[str, str], Stored]:
        """The objects as they were at a version; raises `ApiRefused` if that is forgotten."""
        changes = list(self.since(revision))
        if not changes:
            return self.objects
        objects = dict(self.objects)
        for change in reversed(changes):
            if change.old is None:
                assert change.new is not None
                del objects[change.new.place]
            else:
                objects[change.old.place] = change.old
        return objects


class Store:
    """All objects; `changed` is called after each change."""

    def __init__(self, changed: Callable[[Kind, Change], None]) -> None:
        # Versions that a test makes up are older.
        self.revision = 100
        self._compacted = 0
        self._shelves: dict[tuple[str, str], Shelf] = {}
        self._changed = changed

    def shelf(self, kind: Kind) -> Shelf:
        """The objects of a kind."""
        found = self._shelves.get(kind.key)
        if found is None:
            found = self._shelves[kind.key] = Shelf()
            found.compact(self._compacted)
        return found

    def get(self, kind: Kind, namespace: str, name: str) -> Stored | None:
        """An object, if there is one."""
        return self.shelf(kind).objects.get((namespace, name))

    def put(self, kind: Kind, obj: Object, managers: tuple[Any, ...]) -> Stored:
        """Create or replace an object; it belongs to the store from here on."""
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        shelf = self.shelf(kind)
        new = Stored(obj, self.revision, managers)
        old = shelf.objects.get(new.place)
        if old is not None:
            old.forget_json()
        shelf.objects[new.place] = new
        self._record(kind, shelf, Change(self.revision, old, new))
        return new

    def remove(self, kind: Kind, stored: Stored, obj: Object) -> Stored:
        """Remove an object, which looks like `obj` in the end."""
        self.revision += 1
        shelf = self.shelf(kind)
        del shelf.objects[stored.place]
        metadata = {**obj["metadata"], "resourceVersion": str(self.revision)}
        last = Stored({**obj, "metadata": metadata}, self.revision)
        self._record(kind, shelf, Change(self.revision, stored, None, last))
        return last

    def drop(self, kind: Kind) -> None:
        """End the watches of a kind that is gone."""
        for watcher in list(self.shelf(kind).watchers):
            watcher.end()

    def compact(self) -> None:
        """Forget all history: who asks for an older version is refused with 410."""
        self._compacted = self.revision
        for shelf in self._shelves.values():
            shelf.compact(self.revision)

    def _record(self, kind: Kind, shelf: Shelf, change: Change) -> None:
        shelf.history.append(change)
        if len(shelf.history) > KEPT:
            shelf.compact(shelf.history[KEPT // 10].revision)
        for watcher in list(shelf.watchers):
            watcher.happened(change)
        self._changed(kind, change)
