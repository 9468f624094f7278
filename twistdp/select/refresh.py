"""Brings a `Host` up to date where something changed, instead of reading everything again."""

from collections.abc import Collection

import attrs

from twistdp.select.buses import bus_device
from twistdp.select.device import Device
from twistdp.select.host import Host
from twistdp.select.kinds import belonging
from twistdp.select.serials import count_again

_DATA = "/run/udev/data/"


@attrs.frozen
class Refreshed:
    """What differs: the identities of devices that are not as they were, and those now there."""

    gone: frozenset[str]
    fresh: tuple[Device, ...]


def refresh(host: Host, paths: Collection[str]) -> Refreshed | None:
    """Look again at paths below ``/dev``, and at entries of udev's data base.

    With a node, everything that belongs to the same USB device or PCI function is read again.
    None if a whole look is needed: what is behind a node cannot be found otherwise.
    """
    nodes: dict[str, None] = {}
    for path in paths:
        if path.startswith(_DATA):
            node = host.node_of_entry(path.removeprefix(_DATA))
            if node is not None:
                nodes[node] = None
        elif path.startswith("/dev/"):
            nodes |= host.list_again(path)
        elif path not in ("/dev", _DATA.rstrip("/")):
            return None
    gone: dict[str, None] = {}
    fresh: dict[str, Device] = {}
    for node in nodes:
        found = _renew(host, node, gone)
        if found is None:
            return None
        fresh |= found
    return Refreshed(frozenset(gone) | frozenset(fresh), tuple(fresh.values()))


def _renew(host: Host, node: str, gone: dict[str, None]) -> dict[str, Device] | None:
    """Read again what is behind a node; None if that cannot be found."""
    old = host.known_at(node)
    if old is not None:
        for each in _together(old):
            gone[each.identity] = None
            host.forget(each)
            count_again(each, -1)
    gone[node] = None
    if host.resolve(node) is None:
        # What it belongs to may still be there, as a USB device whose driver was unbound.
        above = host.device(old.syspath) or _above(host, old) if old is not None else None
        return _taken(host, above) if above is not None else {}
    device = host.of_node(node)
    if device is None and old is not None:
        device = host.device(old.syspath)
    if device is None:
        if host.prefix:
            return None  # a tree of files does not say which device a node is
        bare = host.bare(node)
        return {bare.identity: bare} if bare is not None else {}
    return _taken(host, device)


def _above(host: Host, old: Device) -> Device | None:
    """The bus's device of one that is gone, if that is there."""
    bus = bus_device(old)
    return host.device(bus.syspath) if bus is not None else None


def _taken(host: Host, device: Device) -> dict[str, Device]:
    """What belongs together with a device, known to the host from now on."""
    found: dict[str, Device] = {}
    for each in _together(device):
        if host.know(each):
            count_again(each, 1)
        found[each.identity] = each
    return found


def _together(device: Device) -> list[Device]:
    """The device with all that belongs to the same USB device or PCI function."""
    top = bus_device(device) or device
    return [top, *belonging(top)]
