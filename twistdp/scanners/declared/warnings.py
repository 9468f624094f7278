"""What people should know of devices that are listed all the same."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from twistdp.config import AnyCheck, AttributeCheck, FileCheck, PresentCheck
from twistdp.model import named
from twistdp.scanners.declared.found import Listed
from twistdp.scanners.declared.rule import Rule
from twistdp.select import Device, Host, bus_device, card, usb_device, word

_COMPARED: Final = 100
"""Devices whose names are read again after each whole look, to compare them."""

_FOR_ALL: Final = "/dev/vfio/vfio"
"""The node that every user of VFIO opens beside that of its IOMMU group."""


def shared(listed: Mapping[int, Sequence[Listed]]) -> Mapping[tuple[int, ...], Sequence[str]]:
    """The nodes that several rules give, by the orders of these, as `listed` is."""
    first: dict[str, int] = {}
    having: dict[str, dict[int, None]] = {}
    for order, found in listed.items():
        for each in found:
            for part in each.parts:
                name = part.node or part.identity
                if first.setdefault(name, order) != order and name != _FOR_ALL:
                    having.setdefault(name, {first[name]: None})[order] = None
    together: dict[tuple[int, ...], list[str]] = {}
    for name, orders in having.items():
        together.setdefault(tuple(orders), []).append(name)
    return together


def belong_to(nodes: Sequence[str], names: Sequence[str]) -> str:
    """The fact that several resources have some nodes, for people."""
    verb = "belongs" if len(nodes) == 1 else "belong"
    holders = f"both {names[0]} and {names[1]}" if len(names) == 2 else named(names)
    return f"{named(nodes)} {verb} to {holders}"


def of_shared(
    rules: Sequence[Rule], listed: Mapping[int, Sequence[Listed]]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Nodes that several resources give, with the names of these."""
    for orders, nodes in shared(listed).items():
        members = {
            (order, common.node)
            for order in orders
            for each in listed[order]
            for common in each.common
        }
        names = tuple(rules[order].name for order in orders)
        text = belong_to(nodes, names)
        if any(node.startswith("/dev/vfio/") for node in nodes):
            text += (
                "; an IOMMU group opens for one process alone, so make it one device with "
                "group: iommu"
            )
        elif any(members.isdisjoint((order, node) for order in orders) for node in nodes):
            text += "; set exclusive on the first if no other should have them"
        else:
            text += "; leave the member out where it is not meant"
        yield names, text


def of_groups(rule: Rule, listed: Sequence[Listed]) -> Iterator[str]:
    """Devices of one resource that are in one IOMMU group."""
    having: dict[str, list[str]] = {}
    for each in listed if rule.resource.as_ == "vfio" else ():
        for node in each.info.nodes:
            if node.host_path.startswith("/dev/vfio/") and node.host_path != _FOR_ALL:
                having.setdefault(node.host_path, []).append(each.id)
    for path, ids in having.items():
        if len(ids) > 1:
            yield (
                f"devices {named(ids)} have the same {path}, which opens for one "
                "process alone: make the IOMMU group one device with group: iommu"
            )


def of_unlike(rule: Rule, listed: Sequence[Listed]) -> Iterator[str]:
    """USB ids that devices of different kinds have, as that of a chip that many makers use."""
    if all(not match.usb or match.product or match.serial for match in rule.matches):
        return
    alike: dict[str, dict[str, None]] = {}
    for each in listed[:_COMPARED]:
        if usb_device(each.lead) is None:
            continue
        ids = f"{word(each.lead, 'vendorID')}:{word(each.lead, 'productID')}"
        names = [word(each.lead, name) for name in ("manufacturer", "product")]
        if any(names):
            alike.setdefault(ids, {})[" ".join(str(name) for name in names if name)] = None
    for ids, texts in alike.items():
        if len(texts) > 1:
            yield (
                f"{rule.name}: {ids} is the id of different devices here ({named(texts)}); "
                "add product, serial or usbPath if not all are meant"
            )


def of_mounted(listed: Sequence[Listed]) -> Iterator[str]:
    """Disks with file systems that this node uses itself."""
    for each in listed:
        for function in each.parts:
            place = _mounted(function) if function.subsystem == "block" else ""
            if place:
                yield (
                    f"device {each.id}: {function.node} has the file system that is mounted at "
                    f"{place} on this node, and a container that gets the disk can change it; say "
                    "which disks are meant, or leave this one out with not"
                )


def _mounted(disk: Device) -> str:
    """Where a disk or a part of it is mounted; empty if it is not."""
    mounts = disk.host.remembered("mounts", _mounts)
    for each in (disk, *disk.children) if mounts else ():
        place = mounts.get(f"{each.uevent.get('MAJOR')}:{each.uevent.get('MINOR')}")
        if place:
            return place
    return ""


def _mounts(host: Host) -> Mapping[str, str]:
    """The first place of each mounted device, by its number; see proc_pid_mountinfo(5)."""
    found: dict[str, str] = {}
    try:
        with open(f"{host.prefix}/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                _, _, number, _, place, *_ = line.split(" ")
                found.setdefault(number, place)
    except (OSError, ValueError):
        pass  # a recording has none
    return found


def of_changes(rule: Rule) -> Iterator[str]:
    """What a device costs its container that comes back under another USB id."""
    if rule.changes_identity:
        yield (
            f"{rule.name}: a device that comes back under another of its USB ids, as after loading "
            "its firmware, has another node; the container that has it must start again, in a "
            "new pod: delete the old one"
        )


def is_made(check: AnyCheck, host: Host) -> bool:
    """Whether a check can be made: of a host that was recorded, only those of files are."""
    return not host.prefix or isinstance(check, AttributeCheck | FileCheck | PresentCheck)


def of_checks(rule: Rule, listed: Sequence[Listed]) -> Iterator[str]:
    """Health checks of a rule's devices that are not made."""
    hosts = {each.lead.host for each in listed}
    for check in rule.resource.health:
        if not all(is_made(check, host) for host in hosts):
            name = type(check).__name__.removesuffix("Check").lower()
            why = "since this host is a recording"
            yield f"{rule.name}: its health check {name} is not made, {why}"


def of_listed(listed: Listed) -> Iterator[str]:
    """What is odd about one device."""
    owners: dict[str, dict[str, None]] = {}
    for function in listed.parts:
        if function.subsystem in ("usb", "drm"):
            owner = bus_device(function) or card(function) or function
            owners.setdefault(function.subsystem, {})[owner.name] = None
    for subsystem, names in owners.items():
        if len(names) > 1:
            what = "USB devices" if subsystem == "usb" else "cards"
            yield (
                f"device {listed.id} has nodes of {len(names)} {what}, "
                f"{named(names)}: a container gets all of them"
            )
    for function in listed.parts:
        for link, count in function.host.contested_links(function).items():
            yield (
                f"{link} is claimed by {count} devices and leads to one of them, so it is neither "
                "an id nor a host path; links in by-path tell them apart"
            )
    for place, node in _renamed(listed):
        yield (
            f"device {listed.id} has {node} as {place} in the container: libdrm finds a card by "
            "the name of its node; leave containerPath out"
        )


def _renamed(listed: Listed) -> Iterator[tuple[str, str]]:
    """Nodes of drm that have another name in the container, with that on the host."""
    drm = {str(each.node): each for each in listed.parts if each.subsystem == "drm"}
    names = {node.rpartition("/")[2] for node in drm}
    given: dict[str, list[str]] = {}
    for spec in listed.info.nodes:
        node = _node_of(spec.host_path, drm)
        if node is not None:
            given.setdefault(node, []).append(spec.container_path)
    for node, places in given.items():
        if all(place.rpartition("/")[2] not in names for place in places):
            yield places[0], node


def _node_of(path: str, drm: Mapping[str, Device]) -> str | None:
    if path in drm:
        return path
    for node, device in drm.items():
        if path in device.host.all_links_to(node):
            return node
    return None
