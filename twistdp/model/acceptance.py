"""Decides which parts of a scanner's tree are used, and how they differ from the tree before.

A bad resource type or device costs only itself.  The parts of a device were checked when it was
made.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import filterfalse
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from twistdp.errors import BadName, BadTree
from twistdp.model.devices import DeviceInfo, Devices, DeviceTree
from twistdp.model.identity import keep_unchanged
from twistdp.model.names import check_device_id, check_resource_type
from twistdp.model.secrecy import kind_of


class Update(NamedTuple):
    """The devices of one resource, and how they differ from those before.

    `changed` has the ids of devices that are new or not as they were, `removed` those of devices
    that are gone.  `numa` has the NUMA nodes of the devices that have any.  It is true when
    there is a difference.
    """

    devices: Devices
    changed: Sequence[str] = ()
    removed: Collection[str] = ()
    numa: Mapping[str, tuple[int, ...]] = MappingProxyType({})

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)

    def whole(self) -> "Update":
        """The same for a receiver that has no device yet."""
        return Update(self.devices, list(self.devices), (), self.numa)

    def after(self, missed: "Update") -> "Update":
        """The same for a receiver that has missed the update before."""
        there = self.devices
        changed = dict.fromkeys([*missed.changed, *self.changed])
        removed = {*missed.removed, *self.removed}
        return Update(
            there,
            [id_ for id_ in changed if id_ in there],
            [id_ for id_ in removed if id_ not in there],
            self.numa,
        )


Updates: TypeAlias = Mapping[str, Update]
"""Updates by resource type."""

NO_DEVICES: Final = Update({})
"""The state of a resource before its first device."""


class Refusal(NamedTuple):
    """A part of a tree that was left out: a whole type, or one device, and why."""

    resource_type: Any
    device_id: Any
    reason: str


class Accepted(NamedTuple):
    """The usable part of a tree, and what was left out of it."""

    resources: Updates
    """Each type that has devices, and each that has lost its last one, those first."""
    refusals: tuple[Refusal, ...] = ()
    repeated: frozenset[tuple[str, str]] = frozenset()
    """Type and id of devices that the tree had twice, differently."""


NOTHING: Final = Accepted({})
"""The state before the first scan."""

Refuse: TypeAlias = Callable[[str, Devices, Collection[str]], Mapping[str, str]]
"""Gives reasons against devices of a type, by id; called with the type, its devices, and the ids
of those that have changed."""


def accept(
    tree: DeviceTree, before: Accepted = NOTHING, refuse: Refuse = lambda *_: {}
) -> Accepted:
    """Copy the usable part of `tree`; a bad type or device refuses only itself.

    A device that equals the one with its id in `before` becomes that very object and is not
    examined again.  `refuse` may leave out more.  The NUMA nodes are those of `before`.
    Raises `BadTree` for a value that is not a `DeviceTree`.
    """
    there: dict[str, Update] = {}
    refusals: list[Refusal] = []
    for resource_type in check_tree(tree):
        try:
            check_resource_type(resource_type)
        except BadName as error:
            refusals.append(Refusal(resource_type, None, str(error)))
            continue
        known = before.resources.get(resource_type, NO_DEVICES)
        devices, changed = keep_unchanged(tree[resource_type], known.devices)
        bad = {id_: reason for id_ in changed if (reason := _problem(id_, devices[id_]))}
        _leave_out(bad, devices, changed)
        refused = refuse(resource_type, devices, changed)
        _leave_out(refused, devices, changed)
        refusals += (
            Refusal(resource_type, id_, reason) for id_, reason in [*bad.items(), *refused.items()]
        )
        removed = list(filterfalse(devices.__contains__, known.devices))
        if devices or removed:
            there[resource_type] = Update(devices, changed, removed, known.numa)
    gone = {
        resource_type: Update({}, (), list(known.devices))
        for resource_type, known in before.resources.items()
        if known.devices and resource_type not in there
    }
    return Accepted({**gone, **there}, tuple(refusals), frozenset(tree.repeated))


def check_tree(tree: object) -> DeviceTree:
    """Return `tree` if it is a `DeviceTree`; raise `BadTree` otherwise."""
    if not isinstance(tree, DeviceTree):
        raise BadTree(f"a scan must produce a twistdp.DeviceTree, not {kind_of(tree)}")
    return tree


def _leave_out(ids: Collection[str], devices: dict[str, DeviceInfo], changed: list[str]) -> None:
    if ids:
        for device_id in ids:
            del devices[device_id]
        changed[:] = [id_ for id_ in changed if id_ in devices]


def _problem(device_id: Any, info: Any) -> str | None:
    try:
        check_device_id(device_id)
    except BadName as reason:
        return str(reason)
    if not isinstance(info, DeviceInfo):
        return f"a device must be a twistdp.DeviceInfo, not {kind_of(info)}"
    return None
