"""Brings a `Host` up to date where something changed, instead of reading everything again."""

import os
from collections.abc import Callable, Collection, Iterable
from typing import Final

import attrs

from twistdp.select.buses import bus_device
from twistdp.select.device import Device
from twistdp.select.groups import depending
from twistdp.select.host import Host
from twistdp.select.kinds import belonging
from twistdp.select.serials import count_again

_DATA: Final = "/run/udev/data/"
_SYSFS: Final = "/sys"
_PROCESSORS: Final = "/devices/system/"
"""Devices that a `Host` does not look at."""

_CARDS: Final = frozenset({"accel", "drm", "sound"})
"""Subsystems with several nodes of one card."""

_MOST: Final = 1000
"""Devices below one with an event of the kernel; when there are more, a whole look is faster."""


@attrs.frozen
class Refreshed:
    """What differs at `paths`: the identities of devices that are not as they were, and those now
    there."""

    gone: frozenset[str]
    fresh: tuple[Device, ...]
    paths: tuple[str, ...] = ()


class _TooMuch(Exception):
    """A whole look is needed."""


def refresh(host: Host, paths: Collection[str]) -> Refreshed | None:
    """Look again at paths below ``/dev`` and ``/sys``, and at entries of udev's data base.

    With a device, everything that belongs to the same USB device or PCI function is read again.
    None if a whole look is needed: what is behind a node cannot be found otherwise.
    """
    nodes: dict[str, None] = {}
    syspaths: dict[str, None] = {}
    for path in paths:
        if path.startswith(_DATA):
            device = host.of_entry(path.removeprefix(_DATA))
            if device is None:
                continue
            if device.node is not None:
                nodes[device.node] = None
            else:
                syspaths[device.syspath] = None
        elif path.startswith("/dev/"):
            nodes |= host.list_again(path)
        elif path.startswith(f"{_SYSFS}/"):
            syspaths[path.removeprefix(_SYSFS)] = None
        elif path not in ("/dev", _DATA.rstrip("/")):
            return None
    found = _Refresh(host).of(nodes, syspaths)
    return attrs.evolve(found, paths=tuple(paths)) if found is not None else None


class _Refresh:
    """One refresh of a host."""

    def __init__(self, host: Host) -> None:
        host.begin_again()
        self._host = host
        self._gone: dict[str, None] = {}
        self._fresh: dict[str, Device] = {}
        self._done: set[str] = set()
        """The paths whose own event was acted on."""

    def of(self, nodes: Iterable[str], syspaths: Iterable[str]) -> Refreshed | None:
        """Look at these; None if a whole look is needed."""
        try:
            for syspath in syspaths:
                self._renew(syspath)
            for node in nodes:
                self._renew_node(node)
        except _TooMuch:
            return None
        fresh = self._fresh
        return Refreshed(frozenset(self._gone) | frozenset(fresh), tuple(fresh.values()))

    def _renew_node(self, node: str) -> None:
        """Read again what is behind a node."""
        host = self._host
        old = host.table.at(node)
        self._gone[node] = None
        if old is not None and old.syspath:
            self._renew(old.syspath)
        elif old is not None:
            self._forget(old)
        if host.resolve(node) is None:
            return
        device = host.of_node(node)
        if device is not None:
            self._renew(device.syspath)
        elif host.prefix:
            raise _TooMuch  # a tree of files does not say which device a node is
        else:
            bare = host.bare(node)
            if bare is not None:
                self._fresh[bare.identity] = bare

    def _renew(self, syspath: str) -> None:
        """Read again a device and what is close to it, or if it is gone what it belonged to."""
        if syspath in self._done:
            return
        self._done.add(syspath)
        if not syspath.startswith("/devices/") or syspath.startswith(_PROCESSORS):
            return
        host = self._host
        near = _nearest(host.table.get, syspath)
        if near is None or (near.syspath == syspath and host.table.is_new(near)):
            # Another event may have led here, but it was not about all that depends on this one.
            device = near or host.device(syspath)
            if device is not None:
                self._take(_close_to(device, syspath))
                self._take(depending(device))
            return
        if near.syspath != syspath and _top(near) is None:
            for each in near.lineage:
                each.forget_children()
        else:
            for each in _close_to(near, syspath):
                if not host.table.is_new(each):
                    self._forget(each)
        self._gone[syspath] = None
        device = host.device(syspath)
        if device is None or near.syspath != syspath:
            is_near = near.syspath == syspath
            above = _nearest(host.device, os.path.dirname(syspath) if is_near else near.syspath)
            if above is not None:
                self._take(_close_to(above, syspath))
        if device is not None:
            self._take(_close_to(device, syspath))
        # What it was, and what it is: a group may have lost it.
        self._take(depending(near))
        self._take(depending(device) if device is not None else ())

    def _take(self, devices: Iterable[Device]) -> None:
        """Test devices again, and count those that were not known: their own events come later."""
        for each in devices:
            if self._fresh.get(each.identity) is each:
                continue
            if self._host.table.add(each):
                count_again(each, 1)
            self._fresh[each.identity] = each

    def _forget(self, device: Device) -> None:
        self._gone[device.identity] = None
        self._fresh.pop(device.identity, None)
        self._host.forget(device)
        count_again(device, -1)


def _nearest(find: Callable[[str], Device | None], syspath: str) -> Device | None:
    """What is found at a path, or at the nearest path above it."""
    while syspath.count("/") > 1:
        found = find(syspath)
        if found is not None:
            return found
        syspath = os.path.dirname(syspath)
    return None


def _top(device: Device) -> Device | None:
    """What a device and others are parts of: the USB device or PCI function, or what is like it."""
    bus = bus_device(device)
    if bus is not None:
        return bus
    if device.subsystem in _CARDS:
        return next((each for each in device.ancestors if each.subsystem not in _CARDS), None)
    return device.parent if device.node is not None or device.subsystem == "net" else None


def _close_to(device: Device, syspath: str) -> Iterable[Device]:
    """The devices that an event at `syspath` may concern, where that is `device` or is below it.

    Those that a group may have in common with it, and for a device's own event what is plugged into
    it: conditions may be about devices above.
    """
    top = _top(device)
    found = {each.syspath: each for each in ((top, *belonging(top)) if top is not None else ())}
    found[device.syspath] = device
    waiting = [device] if device.syspath == syspath else []
    while waiting and len(found) <= _MOST:
        for child in waiting.pop().children:
            found[child.syspath] = child
            waiting.append(child)
    if len(found) > _MOST:
        raise _TooMuch
    return found.values()
