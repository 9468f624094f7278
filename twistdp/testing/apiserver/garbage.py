"""The garbage collector, which is a controller beside the API server, and is played here."""

from collections.abc import Iterator
from typing import Any

from twistdp.testing.apiserver.deletion import FOREGROUND, ORPHAN
from twistdp.testing.apiserver.kinds import NAMESPACES, Kind
from twistdp.testing.apiserver.registry import Registry
from twistdp.testing.apiserver.store import Change, Store, Stored
from twistdp.testing.apiserver.writes import Way, Writes

Object = dict[str, Any]

_WAY = Way(manager="kube-controller-manager")


class Garbage:
    """Deletes what no owner keeps, and ends deletions that wait for dependents."""

    def __init__(self, store: Store, registry: Registry, writes: Writes) -> None:
        self._store = store
        self._registry = registry
        self._writes = writes

    @staticmethod
    def concerns(change: Change) -> bool:
        """Whether there may be something to collect after a change."""
        new = change.new
        return new is None or bool(
            "deletionTimestamp" in new.metadata
            or (new.metadata.get("ownerReferences") and change.old is None)
        )

    def collect(self) -> int:
        """Collect until nothing is left to do; returns the number of writes."""
        writes = 0
        while done := sum(1 for _ in self._pass()):
            writes += done
        return writes

    def _all(self) -> list[tuple[Kind, Stored]]:
        return [
            (kind, stored)
            for kind in self._registry
            for stored in self._store.shelf(kind).objects.values()
        ]

    def _pass(self) -> Iterator[None]:
        found = self._all()
        owners = {stored.metadata["uid"]: stored for _, stored in found}
        dependents: dict[str, list[tuple[Kind, Stored]]] = {}
        for kind, stored in found:
            references = stored.metadata.get("ownerReferences") or ()
            for reference in references:
                dependents.setdefault(reference["uid"], []).append((kind, stored))
            if references and not any(each["uid"] in owners for each in references):
                yield from self._delete(kind, stored, "Background")
        for kind, stored in found:
            metadata = stored.metadata
            if "deletionTimestamp" not in metadata:
                continue
            finalizers = metadata.get("finalizers") or ()
            mine = dependents.get(metadata["uid"], [])
            if ORPHAN in finalizers:
                yield from self._orphan(kind, stored, mine)
            elif FOREGROUND in finalizers:
                yield from self._foreground(kind, stored, mine)
            elif kind == NAMESPACES:
                yield from self._empty(stored)

    def _foreground(
        self, kind: Kind, owner: Stored, mine: list[tuple[Kind, Stored]]
    ) -> Iterator[None]:
        blocking = False
        for dependent, stored in mine:
            blocking |= any(
                each.get("blockOwnerDeletion") and each["uid"] == owner.metadata["uid"]
                for each in stored.metadata["ownerReferences"]
            )
            yield from self._delete(dependent, stored, "Foreground")
        if not blocking:
            yield from self._release(kind, owner, FOREGROUND)

    def _orphan(self, kind: Kind, owner: Stored, mine: list[tuple[Kind, Stored]]) -> Iterator[None]:
        for dependent, stored in mine:
            left = [
                each
                for each in stored.metadata["ownerReferences"]
                if each["uid"] != owner.metadata["uid"]
            ]
            yield from self._change(dependent, stored, {"ownerReferences": left})
        yield from self._release(kind, owner, ORPHAN)

    def _empty(self, namespace: Stored) -> Iterator[None]:
        """Delete what is in a deleted namespace, and then the namespace."""
        inside = [
            (kind, stored)
            for kind, stored in self._all()
            if kind.namespaced and stored.place[0] == namespace.metadata["name"]
        ]
        for kind, stored in inside:
            yield from self._delete(kind, stored, "Background")
        if not inside and self._is_current(NAMESPACES, namespace):
            self._store.remove(NAMESPACES, namespace, namespace.object)
            yield

    def _is_current(self, kind: Kind, stored: Stored) -> bool:
        return self._store.get(kind, *stored.place) is stored

    def _delete(self, kind: Kind, stored: Stored, policy: str) -> Iterator[None]:
        if self._is_current(kind, stored) and "deletionTimestamp" not in stored.metadata:
            self._writes.delete(kind, stored, {"propagationPolicy": policy}, _WAY)
            yield

    def _release(self, kind: Kind, stored: Stored, finalizer: str) -> Iterator[None]:
        left = [each for each in stored.metadata["finalizers"] if each != finalizer]
        yield from self._change(kind, stored, {"finalizers": left})

    def _change(self, kind: Kind, stored: Stored, metadata: Object) -> Iterator[None]:
        if self._is_current(kind, stored):
            new = {**stored.object, "metadata": {**stored.metadata, **metadata}}
            self._writes.change(kind, *stored.place, lambda _: (new, None), _WAY)
            yield
