"""Who owns which fields: managed fields, and server-side apply."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import attrs

from twistdp.testing.apiserver.fields import (
    Path,
    as_tree,
    changed,
    closed,
    leaves,
    merged,
    of_tree,
    shown,
    without,
)
from twistdp.testing.apiserver.refusals import ApiRefused
from twistdp.testing.apiserver.shapes import Shape

Object = dict[str, Any]

APPLY, UPDATE = "Apply", "Update"

_OURS = {"f:apiVersion", "f:kind"}
_SYSTEM = {
    "f:name", "f:namespace", "f:uid", "f:resourceVersion", "f:generation", "f:creationTimestamp",
    "f:deletionTimestamp", "f:deletionGracePeriodSeconds", "f:managedFields", "f:selfLink",
}  # fmt: skip


@attrs.frozen
class Manager:
    """An owner of fields: its name, how it writes, and what it owns."""

    name: str
    operation: str
    subresource: str
    api_version: str
    time: str = attrs.field(eq=False)
    paths: frozenset[Path]

    @property
    def identity(self) -> tuple[str, str, str]:
        """What distinguishes owners."""
        return self.name, self.operation, self.subresource

    def shown(self) -> Object:
        """One of an object's ``managedFields``."""
        entry = {
            "manager": self.name,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": as_tree(self.paths),
        }
        return {**entry, "subresource": self.subresource} if self.subresource else entry

    def described(self) -> str:
        """The owner in a message."""
        if self.operation == APPLY:
            return f'"{self.name}"'
        sub = f' with subresource "{self.subresource}"' if self.subresource else ""
        return f'"{self.name}"{sub} using {self.api_version}'


def owned(obj: Object, shape: Shape) -> dict[Path, Any]:
    """The fields of an object that have owners."""
    found = leaves(obj, shape)
    return {
        path: value
        for path, value in found.items()
        if not _OURS.issuperset(path[:1])
        and not (path[0] == "f:metadata" and _SYSTEM.issuperset(path[1:2]))
    }


def updated(
    managers: Iterable[Manager], old: Object | None, new: Object, shape: Shape, me: Manager
) -> tuple[Manager, ...]:
    """The owners after `me` has written `new` over `old`, in another way than by apply."""
    before = owned(old, shape) if old else {}
    after = owned(new, shape)
    mine = changed(before, after)
    kept = []
    paths = frozenset(mine)
    for manager in managers:
        left = frozenset(path for path in manager.paths if path in after)
        if manager.identity == me.identity:
            if not mine and left == manager.paths:
                return tuple(managers)
            paths |= left
        elif others := left - mine:
            kept.append(attrs.evolve(manager, paths=others))
    if paths:
        kept.append(attrs.evolve(me, paths=paths))
    return _sorted(kept)


def sent(entries: Any, stored: tuple[Manager, ...]) -> tuple[Manager, ...]:
    """The owners that a client sends with an object; those that are `stored` if it sends none."""
    if not entries or not isinstance(entries, list):
        return stored
    if entries == [{}]:
        return ()
    try:
        return _sorted(
            Manager(
                entry["manager"],
                entry["operation"],
                entry.get("subresource", ""),
                entry["apiVersion"],
                entry["time"],
                frozenset(of_tree(entry["fieldsV1"])),
            )
            for entry in entries
        )
    except (KeyError, TypeError, AttributeError):
        return stored


def applied(
    managers: Iterable[Manager],
    live: Object,
    config: Object,
    shape: Shape,
    me: Manager,
    force: bool,
) -> tuple[Object, tuple[Manager, ...]]:
    """The object, and its owners, after `me` has applied `config`; raises `ApiRefused`."""
    managers = tuple(managers)
    mine = frozenset(owned(config, shape))
    result: Object = merged(live, config, shape)
    differing = changed(owned(live, shape), owned(result, shape))
    last: frozenset[Path] = frozenset()
    kept = []
    conflicts: list[tuple[Manager, Path]] = []
    for manager in managers:
        if manager.identity == me.identity:
            last = manager.paths
            continue
        contested = manager.paths & differing
        conflicts += ((manager, path) for path in sorted(contested))
        if left := manager.paths - contested:
            kept.append(attrs.evolve(manager, paths=left))
    if conflicts and not force:
        raise _conflict(conflicts)
    if dropped := last - mine:
        still = closed(path for manager in kept for path in manager.paths) | closed(mine)
        result = without(result, shape, closed(dropped) - still)
    if mine:
        kept.append(attrs.evolve(me, paths=mine))
    return result, _sorted(kept)


def _sorted(managers: Iterable[Manager]) -> tuple[Manager, ...]:
    return tuple(sorted(managers, key=lambda each: (each.operation, each.time, each.name)))


def _conflict(conflicts: list[tuple[Manager, Path]]) -> ApiRefused:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {manager.described()}",
            "field": shown(path),
        }
        for manager, path in conflicts
    ]
    if len(conflicts) == 1:
        manager, path = conflicts[0]
        message = (
            f"Apply failed with 1 conflict: conflict with {manager.described()}: {shown(path)}"
        )
    else:
        by_manager = defaultdict(list)
        for manager, path in conflicts:
            by_manager[manager.described()].append(f"- {shown(path)}")
        message = f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(
            "\n".join([f"conflicts with {name}:", *sorted(paths)])
            for name, paths in sorted(by_manager.items())
        )
    return ApiRefused(409, "Conflict", message, {"causes": causes})
