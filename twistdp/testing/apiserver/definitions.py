"""CustomResourceDefinitions: one that is created makes its kind known, until it is gone."""

from twistdp.testing.apiserver.deletion import CLEANUP
from twistdp.testing.apiserver.kinds import DEFINITIONS, Kind
from twistdp.testing.apiserver.registry import Registry, established
from twistdp.testing.apiserver.store import Change, Store, Stored
from twistdp.testing.apiserver.writes import Way, Writes


class Definitions:
    """Has a registry follow the definitions in a store."""

    def __init__(self, store: Store, registry: Registry, writes: Writes) -> None:
        self._store = store
        self._registry = registry
        self._writes = writes

    def happened(self, kind: Kind, change: Change) -> None:
        """Follow a change of any object."""
        if kind == DEFINITIONS:
            self._follow(change)
        elif kind.custom and change.new is None and kind.resource in self._ending():
            self._finish(kind)

    def _follow(self, change: Change) -> None:
        new = change.new
        if new is None:
            assert change.old is not None
            names = change.old.object["spec"]
            kind = self._registry.get(names["group"], names["names"]["plural"])
            if kind is not None:
                self._registry.forget(kind)
                self._store.drop(kind)
        elif "deletionTimestamp" in new.metadata:
            kind = self._registry.define(new.object)
            for stored in list(self._store.shelf(kind).objects.values()):
                self._writes.delete(kind, stored, {}, Way())
            self._finish(kind)
        else:
            self._registry.define(new.object)
            if change.old is None:
                self._establish(new)

    def _establish(self, new: Stored) -> None:
        added = established(new.object, self._writes.time())
        obj = {
            **new.object,
            "metadata": dict(new.metadata),
            "spec": {**new.object["spec"], **added["spec"]},
            "status": added["status"],
        }
        self._store.put(DEFINITIONS, obj, new.managers)

    def _ending(self) -> set[str]:
        return {
            stored.metadata["name"]
            for stored in self._store.shelf(DEFINITIONS).objects.values()
            if "deletionTimestamp" in stored.metadata
        }

    def _finish(self, kind: Kind) -> None:
        """Let a deleted definition go once no object of its kind is left."""
        stored = self._store.get(DEFINITIONS, "", kind.resource)
        if stored is None or self._store.shelf(kind).objects:
            return
        left = [each for each in stored.metadata["finalizers"] if each != CLEANUP]
        if left == stored.metadata["finalizers"]:
            return
        obj = {**stored.object, "metadata": {**stored.metadata, "finalizers": left}}
        if left:
            self._store.put(DEFINITIONS, obj, stored.managers)
        else:
            self._store.remove(DEFINITIONS, stored, obj)
