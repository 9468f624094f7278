"""What of a scanner's tree is used, what is refused, and how one state leads to the next.

A bad resource type or device costs only itself; what a device consists of was checked when it was
made.  Values only, as in `twistdp.model.devices`.
"""

from typing import Any, Final

import attrs

from twistdp.errors import BadName, BadTree
from twistdp.model.devices import DeviceInfo, Devices, DeviceTree, Resources
from twistdp.model.identity import keep_unchanged
from twistdp.model.names import check_device_id, check_resource_type
from twistdp.model.secrecy import kind_of


@attrs.frozen
class Refusal:
    """A part of a tree that was left out: a whole type, or one device, and why."""

    resource_type: Any
    device_id: Any
    reason: str


@attrs.frozen
class Accepted:
    """The usable part of a tree, and what was left out of it."""

    resources: Resources
    refusals: tuple[Refusal, ...] = ()
    repeated: frozenset[tuple[str, str]] = frozenset()
    """Type and id of devices that the tree had twice, differently."""


NOTHING: Final = Accepted({})
"""What is in force before the first scan."""


def accept(tree: DeviceTree, before: Accepted = NOTHING) -> Accepted:
    """Copy the usable part of `tree`; a bad type or device refuses only itself.

    A device that equals the one accepted in `before` under its id is that one, and not examined
    again; nor compared, where it is the very same object.
    Raises `BadTree` for a value that is not a `DeviceTree`.
    """
    if not isinstance(tree, DeviceTree):
        raise BadTree(f"a scan must produce a twistdp.DeviceTree, not {kind_of(tree)}")
    resources: dict[str, Devices] = {}
    refusals: list[Refusal] = []
    for resource_type in tree:
        try:
            check_resource_type(resource_type)
        except BadName as reason:
            refusals.append(Refusal(resource_type, None, str(reason)))
            continue
        known = before.resources.get(resource_type, {})
        devices, changed = keep_unchanged(tree[resource_type], known)
        for device_id in changed:
            if reason_ := _problem(device_id, devices[device_id]):
                refusals.append(Refusal(resource_type, device_id, reason_))
                del devices[device_id]
        for device_id, reason_ in tree.untrusted.get(resource_type, {}).items():
            if devices.pop(device_id, None) is not None:
                refusals.append(Refusal(resource_type, device_id, reason_))
        if devices:
            resources[resource_type] = devices
    return Accepted(resources, tuple(refusals), frozenset(tree.repeated))


@attrs.frozen
class Difference:
    """How one state of the resources leads to the next; sets of resource types."""

    added: frozenset[str]
    changed: frozenset[str]
    removed: frozenset[str]


def difference(old: Resources, new: Resources) -> Difference:
    """Which resource types appeared, changed in any device, or vanished."""
    return Difference(
        added=frozenset(new.keys() - old.keys()),
        changed=frozenset(key for key in new.keys() & old.keys() if new[key] != old[key]),
        removed=frozenset(old.keys() - new.keys()),
    )


def _problem(device_id: Any, info: Any) -> str | None:
    try:
        check_device_id(device_id)
    except BadName as reason:
        return str(reason)
    if not isinstance(info, DeviceInfo):
        return f"a device must be a twistdp.DeviceInfo, not {kind_of(info)}"
    return None
