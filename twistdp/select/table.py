"""The devices of a host that are known: by their paths in sysfs, their nodes and subsystems."""

from functools import cached_property
from typing import TYPE_CHECKING, Final

from twistdp.select.device import Device
from twistdp.select.walk import Walk

if TYPE_CHECKING:
    from twistdp.select.host import Host

_MOST: Final = 200_000
"""Devices of a host that are looked at."""

_DEEPEST: Final = 64


class Table:
    """Known devices, each once: those that were asked for, or all, once somebody asks for all."""

    def __init__(self, host: "Host") -> None:
        self._host = host
        self._walk = Walk(f"{host.prefix}/sys")
        self._devices: dict[str, Device] = {}
        self._new: set[Device] = set()
        self.asked: dict[str, Device] = {}
        """Devices that were asked for by their nodes, where not all are known."""
        self.is_whole = False
        """Whether all devices of the host are known."""

    @cached_property
    def all(self) -> list[Device]:
        """All devices, see `Host.devices`; is not kept for long."""
        found: list[Device] = []
        tops = self.below("/devices")
        for top in tops:
            top.has_parent(None)
        waiting = [(top, 0) for top in reversed(tops)]
        while waiting and len(found) < _MOST:
            device, depth = waiting.pop()
            found.append(device)
            if depth < _DEEPEST:
                waiting += [(child, depth + 1) for child in reversed(device.children)]
        self.is_whole = True
        return found

    @cached_property
    def by_subsystem(self) -> dict[str, list[Device]]:
        """All devices of each subsystem, in natural order."""
        found: dict[str, list[Device]] = {}
        for device in self.all:
            found.setdefault(device.subsystem, []).append(device)
        return found

    @cached_property
    def by_node(self) -> dict[str, Device]:
        """All devices by their nodes; of two with one node the first."""
        found: dict[str, Device] = {}
        for device in self.all:
            if device.node is not None:
                found.setdefault(device.node, device)
        return found

    def get(self, syspath: str) -> Device | None:
        """The device that was last known at a syspath."""
        return self._devices.get(syspath)

    def at(self, node: str) -> Device | None:
        """The device that was last known to have a node."""
        return (self.by_node if self.is_whole else self.asked).get(node)

    def make(self, syspath: str) -> Device:
        """The one `Device` of a syspath that is known to be a device's."""
        device = self._devices.get(syspath)
        if device is None:
            device = self._devices[syspath] = Device(self._host, syspath)
            self._new.add(device)
        return device

    def is_new(self, device: Device) -> bool:
        """Whether nothing of a device was read before `begin_again`."""
        return device in self._new

    def below(self, directory: str) -> list[Device]:
        """The nearest devices below a directory of ``/sys``, in natural order."""
        return [self.make(path) for path in self._walk.below(directory)]

    def begin_again(self) -> None:
        """Look at directories as they are from now on."""
        self._walk.forget_ahead()
        self._new.clear()

    def prepare(self) -> None:
        """Find out what changes need, and keep no more than that."""
        if self.is_whole:
            # Found out when they are asked for, from the list, which is long.
            self.by_node, self.by_subsystem  # noqa: B018
            vars(self).pop("all", None)
            self.asked.clear()
        self._new.clear()
        for device in (*self._devices.values(), *self.asked.values()):
            device.spare()

    def release(self) -> None:
        """Forget all devices, which refer to each other: they would wait for the collector."""
        for device in self._devices.values():
            device.part()
        vars(self).clear()

    def remove(self, device: Device) -> bool:
        """Know nothing of a device any more; returns whether anything was known."""
        if device.node is not None:
            self.asked.pop(device.node, None)
        if self._devices.pop(device.syspath, None) is None:
            return False
        if self.is_whole:
            alike = self.by_subsystem.get(device.subsystem, ())
            self.by_subsystem[device.subsystem] = [each for each in alike if each is not device]
            if device.node is not None:
                self.by_node.pop(device.node, None)
        for each in device.ancestors:
            each.forget_children()
        return True

    def add(self, device: Device) -> bool:
        """Count a device among those that are known; returns whether it was none of them."""
        if not self.is_whole:
            self._devices[device.syspath] = device
            if device.node is not None:
                self.asked[device.node] = device
            return True
        alike = self.by_subsystem.setdefault(device.subsystem, [])
        if device in alike:
            return False
        self._devices[device.syspath] = device
        alike.append(device)
        if device.node is not None:
            self.by_node.setdefault(device.node, device)
        return True
