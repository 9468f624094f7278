"""What of a scanner's tree is used, what is refused, and how one state leads to the next.

A bad resource type or device costs only itself.  Values only, as in `twistdp.devices`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from twistdp.changes import keep_unchanged
from twistdp.devices import (
    AUTO,
    HEALTHY,
    NO_TEXTS,
    UNHEALTHY,
    DeviceInfo,
    Devices,
    DeviceSpec,
    DeviceTree,
    Mount,
    Resources,
)
from twistdp.errors import BadDevice, BadName, BadTree
from twistdp.legible import printable, shown
from twistdp.naming import check_device_id, check_resource_type
from twistdp.secrecy import kind_of, variable


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


_MOST_NODES: Final = 1 << 10  # the kernel's own limit (CONFIG_NODES_SHIFT)

_NOT_UNICODE: Final = (
    "not UTF-8, which the device plugin API cannot carry; use a link or a name without such bytes"
)

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
        if devices:
            resources[resource_type] = devices
    return Accepted(resources, tuple(refusals))


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
        check_device(info)
    except (BadName, BadDevice) as reason:
        return str(reason)
    except Exception as error:  # of the values' own methods, such as comparing an array
        return f"it cannot be examined: {type(error).__name__}: {printable(str(error), 200)}"
    return None


def check_device(info: Any) -> None:
    """Raise `BadDevice` if `info` is not a device that a container could get."""
    if not isinstance(info, DeviceInfo):
        raise BadDevice(f"a device must be a twistdp.DeviceInfo, not {kind_of(info)}")
    if info.state not in (HEALTHY, UNHEALTHY):
        raise BadDevice(f"state {shown(info.state)}: use twistdp.HEALTHY or twistdp.UNHEALTHY")
    if not isinstance(info.reason, str):
        raise BadDevice(f"reason: it must be a str, not {kind_of(info.reason)}")
    if info.group is not None and not isinstance(info.group, str):
        raise BadDevice(f"group: it must be a str or None, not {kind_of(info.group)}")
    _check_topology(info.topology)
    if info.cdi is not None:
        from twistdp.cdi import check_cdi  # few plugins use it

        check_cdi(info.cdi)
    taken: dict[str, DeviceSpec | Mount] = {}
    for node in _sequence("nodes", info.nodes):
        if not isinstance(node, DeviceSpec):
            raise BadDevice(f"nodes: {kind_of(node)} is not a twistdp.DeviceSpec")
        _check_paths(node, taken)
        if not isinstance(node.permissions, str) or not (
            node.permissions and set(node.permissions) <= set("rwm")
        ):
            raise BadDevice(f"permissions {shown(node.permissions)}: use letters of 'rwm'")
    for mount in _sequence("mounts", info.mounts):
        if not isinstance(mount, Mount):
            raise BadDevice(f"mounts: {kind_of(mount)} is not a twistdp.Mount")
        _check_paths(mount, taken)
        if not isinstance(mount.read_only, bool):
            raise BadDevice(f"read_only {shown(mount.read_only)}: use True or False")
    _check_texts("envs", info.envs, forbidden="=\0")
    _check_texts("annotations", info.annotations, forbidden="\0")


def _check_topology(topology: Any) -> None:
    if topology is None or topology is AUTO:
        return
    if not isinstance(topology, tuple) or not all(
        isinstance(node, int) and not isinstance(node, bool) and 0 <= node < _MOST_NODES
        for node in topology
    ):
        raise BadDevice(
            f"topology {shown(topology)}: give a list of NUMA nodes, None for no preference, or "
            "leave it out to have it looked up"
        )


def _sequence(field: str, value: Any) -> Sequence[Any]:
    if not isinstance(value, tuple):
        raise BadDevice(f"{field}: {kind_of(value)} is not a list")
    return value


def _check_paths(part: DeviceSpec | Mount, taken: dict[str, DeviceSpec | Mount]) -> None:
    for field in ("host_path", "container_path"):
        path = getattr(part, field)
        if not isinstance(path, str) or not path.startswith("/"):
            raise BadDevice(f"{field} {shown(path)}: it must be an absolute path")
        if "\0" in path or (".." in path and ".." in path.split("/")):
            raise BadDevice(f"{field} {shown(path)}: '..' and NUL are not allowed")
        if not _is_unicode(path):
            raise BadDevice(f"{field} {shown(path)}: {_NOT_UNICODE}")
    other = taken.setdefault(part.container_path, part)
    if other is not part and other != part:
        raise BadDevice(
            f"container_path {shown(part.container_path)}: given to two different nodes or mounts"
        )


def _check_texts(field: str, texts: Any, forbidden: str) -> None:
    if texts is NO_TEXTS:
        return
    if not isinstance(texts, Mapping):
        raise BadDevice(f"{field}: {kind_of(texts)} is not a dict")
    for key, value in texts.items():
        if not isinstance(key, str):
            raise BadDevice(f"{field}: a key must be a str, not {kind_of(key)}")
        if not key or set(key) & set(forbidden):
            raise BadDevice(
                f"{field}: key {variable(key)} must be a non-empty str without {forbidden!r}"
            )
        if not isinstance(value, str) or "\0" in value:
            raise BadDevice(f"{field}: the value of {shown(key)} must be a str without NUL")
        if not _is_unicode(key + value):
            raise BadDevice(f"{field}: {shown(key)}: {_NOT_UNICODE}")


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
