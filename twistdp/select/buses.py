"""Which USB, PCI or other bus device a device is a part of, and where that is plugged."""

import re
from collections.abc import Callable
from functools import wraps
from sys import intern
from typing import Final, TypeAlias, TypeVar

from twistdp.select.device import Device

_T = TypeVar("_T")
_UNKNOWN: Final = object()


def _remembered(find: Callable[[Device], _T]) -> Callable[[Device], _T]:
    """A fact of a USB device or PCI function, found out once."""

    @wraps(find)
    def fact(device: Device) -> _T:
        known = device.facts.get(fact, _UNKNOWN)
        if known is _UNKNOWN:
            known = device.facts[fact] = find(device)
        return known  # type: ignore[return-value]

    return fact


_Buses: TypeAlias = tuple[Device | None, Device | None, Device | None]
_NONE: Final[_Buses] = (None, None, None)


def _buses(device: Device) -> _Buses:
    """The USB device, USB interface and PCI function that a device is or belongs to.

    All that is no bus's device itself has those of its parent, the very same value.
    """
    found = device.buses
    if found is None:
        found = _buses(device.parent) if device.parent is not None else _NONE
        if device.subsystem == "usb":
            usb, _, pci = found
            if device.devtype == "usb_device":
                found = device, None, pci
            else:
                found = usb, device if device.devtype == "usb_interface" else None, pci
        elif device.subsystem == "pci":
            found = None, None, device
        device.buses = found
    return found


def usb_device(device: Device) -> Device | None:
    """The USB device that this device is or belongs to."""
    return _buses(device)[0]


def usb_interface(device: Device) -> Device | None:
    """The USB interface that this device is or belongs to."""
    return _buses(device)[1]


def pci_device(device: Device) -> Device | None:
    """The nearest PCI function that this device is or is below, through USB too."""
    return _buses(device)[2]


def bus_device(device: Device) -> Device | None:
    """The USB device, else the PCI function, that this device is or belongs to."""
    usb, _, pci = _buses(device)
    return usb or pci


NAMED: Final = ("usb", "nvme", "nvme-subsystem", "scsi", "mmc", "block")
"""Subsystems whose devices may say their model and serial number."""


def named_device(device: Device) -> Device | None:
    """The USB device, drive or disk that a device is or belongs to, which says its model."""
    usb = usb_device(device)
    if usb is not None:
        return usb
    for each in device.lineage:
        if each.subsystem not in NAMED:
            return None
        if any(each.attribute(name) for name in ("model", "serial", "name")):
            return each
    return None


def usb_controller(device: Device) -> Device | None:
    """The device that the root hub of a USB device is below; None if it is no USB device."""
    hub = _root_hub(device)
    return hub.parent if hub is not None else None


@_remembered
def root_hubs(controller: Device) -> list[str]:
    """The names of a controller's root hubs; what is plugged into these is not looked at."""
    names = controller.host.entries(controller.syspath)
    return [name for name in names if re.fullmatch(r"usb\d+", name)]


def usb_version(device: Device) -> str | None:
    """The version of USB of the bus that a device is on, as ``3``: that of its root hub."""
    hub = _root_hub(device)
    version = hub.attribute("version") if hub is not None else None
    return version.partition(".")[0] if version else None


def _root_hub(device: Device) -> Device | None:
    usb = usb_device(device)
    while usb is not None and re.fullmatch(r"usb\d+", usb.name) is None:
        above = usb.parent
        usb = usb_device(above) if above is not None else None
    return usb


def usb_port(device: Device) -> str | None:
    """The ports from the root hub to a USB device, as ``2.3``; ``0`` for the root hub itself."""
    usb = usb_device(device)
    if usb is None:
        return None
    if re.fullmatch(r"usb\d+", usb.name):
        return "0"
    found = re.fullmatch(r"\d+-([\d.]+)", usb.name)
    return found[1] if found else None


def place(device: Device) -> str | None:
    """Where a bus device is, in a form that stays over replug, reboot and renumbering.

    ``pci-0000:00:14.0-usbv2-0:2.3`` for a USB device: a port has the same numbers on the USB 2 and
    the USB 3 bus of a controller, so the version is a part.  ``0000:00:02.0`` for a PCI function.
    None if there is no such place.
    """
    usb = usb_device(device)
    if usb is not None:
        return _usb_place(usb)
    pci = pci_device(device)
    return pci.name if pci is not None else None


def is_counted(device: Device) -> bool:
    """Whether a driver made the device and the kernel counted it, as ``xhci-hcd.0.auto``."""
    return device.name.endswith(".auto")


def _of_board(controller: Device) -> Device:
    """The nearest device that has its name from the board."""
    return next((each for each in controller.lineage if not is_counted(each)), controller)


@_remembered
def _usb_place(usb: Device) -> str | None:
    controller, port = usb_controller(usb), usb_port(usb)
    if controller is None or port is None:
        return None
    pci = pci_device(controller)
    kind = "pci" if pci is not None else "platform"
    base = f"{kind}-{(pci or _of_board(controller)).name}"
    return f"{base}-usbv{usb_version(usb) or '0'}-0:{port}"


@_remembered
def ids_of(device: Device) -> tuple[str, str] | None:
    """Vendor and product of a USB device or PCI function, each four hexadecimal digits."""
    if device.subsystem == "usb":
        parts = device.uevent.get("PRODUCT", "").split("/")
        if len(parts) == 3:
            return _four_digits(parts[0]), _four_digits(parts[1])
        vendor, product = device.attribute("idVendor"), device.attribute("idProduct")
    else:
        vendor, colon, product = device.uevent.get("PCI_ID", "").lower().partition(":")
        if not colon:
            vendor, product = device.attribute("vendor"), device.attribute("device")
    if not vendor or not product:
        return None
    return _four_digits(vendor), _four_digits(product)


def _four_digits(text: str) -> str:
    """One object for all devices of a kind: there may be thousands."""
    return intern(text.lower().removeprefix("0x").zfill(4))
