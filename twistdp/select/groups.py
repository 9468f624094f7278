"""Which devices are one for the user: parents, USB and PCI devices, IOMMU groups, cards."""

from collections.abc import Iterator, Sequence
from typing import Final

from twistdp.errors import BadSetting
from twistdp.select.buses import bus_device, pci_device, usb_device
from twistdp.select.device import IOMMU_GROUP, Device
from twistdp.select.kinds import belonging, functions

_BRIDGE: Final = "06"
"""The class of PCI bridges: they belong to their group and need no driver."""


OF_CARDS: Final = ("drm", "accel", "sound")
"""Kinds of nodes that cards have, which are subsystems too; a card is for the first it has."""


def group_of(device: Device, how: str) -> Device | None:
    """The device that all members of a device's group have in common; None if it is alone.

    `how` is ``parent`` (the USB device or PCI function, else the parent), ``usb``, ``pci`` or
    ``card`` (the bus's device below which card and render node are).  For ``iommu`` see
    `iommu_group`.  Raises `BadSetting` for another word.
    """
    if how == "parent":
        has_parts = device.node is None and bool(nodes_below(device))
        return bus_device(device) or (device if has_parts else device.parent)
    if how == "usb":
        return usb_device(device)
    if how == "pci":
        return pci_device(device)
    if how == "card":
        return card(device)
    raise BadSetting(f"group: {how}: there is no such group; use parent, usb, pci, iommu or card")


def card(device: Device) -> Device | None:
    """The device whose drm or sound nodes a device is one of."""
    if device.subsystem in OF_CARDS:
        for each in device.ancestors:
            if each.subsystem != device.subsystem:
                return each
        return None  # as ALSA's timer, which is of no card
    return device if any(functions(device, kind) for kind in OF_CARDS) else None


def members(device: Device, kind: str) -> Sequence[Device]:
    """The function nodes of a kind that belong to the same USB device or PCI function."""
    above = bus_device(device) or device.parent or device
    return functions(above, kind)


def iommu_group(device: Device) -> tuple[int, Sequence[Device]] | None:
    """The number of the IOMMU group of a device, and all PCI functions in it; None without one."""
    for each in device.lineage:
        number = each.attribute(IOMMU_GROUP)
        if number is not None and number.isdigit():
            return int(number), _of_group(each, number)
    return None


def _of_group(device: Device, number: str) -> Sequence[Device]:
    functions = device.host.by_subsystem.get("pci", ())
    return [each for each in functions if each.attribute(IOMMU_GROUP) == number]


def depending(device: Device) -> Iterator[Device]:
    """The devices elsewhere in sysfs whose conditions or nodes depend on what a device is.

    The functions of its IOMMU group, its virtual functions, and the controllers of a disk that has
    several.
    """
    host, syspath = device.host, device.syspath
    links: list[str] = []
    group: str | None = None
    if device.subsystem == "pci":
        group = device.attribute(IOMMU_GROUP)
        names = host.entries(syspath)
        links += (f"{syspath}/{name}" for name in names if name.startswith("virtfn"))
    elif device.subsystem == "vfio":
        group = device.name.removeprefix("noiommu-")
    elif device.subsystem == "block":
        for above in device.ancestors:
            if above.subsystem == "nvme-subsystem":
                links += (f"{above.syspath}/{name}/device" for name in host.entries(above.syspath))
    if group is not None:
        directory = f"/kernel/iommu_groups/{group}/devices"
        links += (f"{directory}/{name}" for name in host.entries(directory))
    for link in links:
        found = host.linked(link)
        if found is not None and found is not device:
            yield found


def is_unbound(device: Device) -> bool:
    """Whether a device is a USB interface that no driver has."""
    return device.devtype == "usb_interface" and device.driver is None


def is_bridge(device: Device) -> bool:
    """Whether a PCI function is a bridge."""
    text = device.uevent.get("PCI_CLASS") or (device.attribute("class") or "").removeprefix("0x")
    return text.lower().zfill(6).startswith(_BRIDGE)


def _is_harmless(function: Device) -> bool:
    """Whether a function lets its group be given away: bridges do, and what has no driver."""
    driver = function.driver
    if driver is None or driver == "pci-stub" or is_bridge(function):
        return True
    # The kernel has variants for some devices, as mlx5_vfio_pci.
    return driver.replace("_", "-").endswith("vfio-pci")


def unready(device: Device) -> Sequence[Device]:
    """The functions of a device's IOMMU group that keep it from being given away.

    Those that are bound to a driver that is not for VFIO.
    """
    group = iommu_group(device)
    if group is None:
        return [device]
    return [each for each in group[1] if not _is_harmless(each)]


def nodes_below(device: Device) -> Sequence[Device]:
    """The device itself and all that belong to it, if they have a node."""
    return [each for each in (device, *belonging(device)) if each.node is not None]
