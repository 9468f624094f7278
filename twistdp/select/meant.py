"""Which of the devices that belong together a match is about."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

import attrs

from twistdp.select.buses import (
    NAMED,
    bus_device,
    named_device,
    pci_device,
    usb_device,
    usb_interface,
)
from twistdp.select.conditions import Condition
from twistdp.select.device import Device

_ABOUT_BUS: Final = frozenset(
    {"usb", "pci", "vendor_id", "product_id", "serial", "manufacturer", "product", "model_name"}
    | {
        "usb_path",
        "usb_version",
        "pci_bus_id",
        "pci_class",
        "subsystem_vendor_id",
        "subsystem_device_id",
        "qat_services",
    }
)
"""Keys about the bus's device, which all that belongs to it has in common."""

_OF_INTERFACE: Final = frozenset({"interface", "interface_number", "interface_class"})
ABOUT_KIND: Final = frozenset(
    {"path", "path_regex", "subsystem", "devtype", "kernel_name", "udev", "port_number"}
    | {"mac_address", "major", "minor"}
)
"""Keys that say themselves which of the devices that belong together is meant."""

_LABELS: Final = {
    "usb": ("USB",), "pci": ("PCI",), "any": ("USB", "PCI"),
    "named": ("USB", "NVMe", "SCSI", "MMC", "block"),
}  # fmt: skip


@attrs.frozen
class Meant:
    """The device of the bus `bus` itself, or its interface, and no part of it.

    `find` returns the one that a device belongs to; `bus` is ``usb``, ``pci``, ``any`` of these, or
    ``named`` for what says its model and serial number, drives too.
    """

    bus: str
    find: Callable[[Device], Device | None]

    @property
    def name(self) -> str:
        """What tells it apart from the others that may be meant."""
        return f"{self.bus} {self.find.__name__}"

    @property
    def subsystems(self) -> Sequence[str]:
        """The subsystems that such devices are of."""
        if self.bus == "named":
            return NAMED
        return ("usb", "pci") if self.bus == "any" else (self.bus,)

    @property
    def labels(self) -> Sequence[str]:
        """The buses as people write them."""
        return _LABELS[self.bus]

    @property
    def condition(self) -> Condition:
        """That a device is meant, and why."""
        return Condition(self.is_it, self._why)

    def is_it(self, device: Device) -> bool:
        """Whether a device is meant."""
        return self.find(device) is device

    def _why(self, device: Device) -> str:
        meant = self.find(device)
        name = " or ".join(self.labels)
        kind = "interface" if self.find is usb_interface else "device"
        if meant is device:
            return f"{device.name} is the {name} {kind} itself"
        if meant is None:
            return f"{device.name} is no {name} {kind}"
        part = device.devtype or device.subsystem
        return f"{device.name} is a part ({part}) of {meant.name}, not the {kind} itself"


def meant_by(given: Collection[str], attributes: Iterable[str]) -> Meant | None:
    """What a match means that has these keys, and conditions on these attributes.

    None if the keys say more than what bus a device is on.
    """
    keys = set(given)
    if keys & ABOUT_KIND or not keys & (_ABOUT_BUS | _OF_INTERFACE):
        return None
    bus = "any"
    if keys & (_OF_INTERFACE | {"usb", "usb_path", "usb_version"}):
        bus = "usb"
    elif keys & _ABOUT_BUS <= {"serial", "model_name"}:
        bus = "named"
    elif any(name.startswith(("pci", "subsystem_", "qat")) for name in keys):
        bus = "pci"
    if keys & _OF_INTERFACE or any(name.startswith("bInterface") for name in attributes):
        return Meant(bus, usb_interface)
    finders = {"usb": usb_device, "pci": pci_device, "named": named_device}
    return Meant(bus, finders.get(bus, bus_device))
