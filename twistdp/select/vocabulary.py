"""The one vocabulary of what a device is: for matching, templates, `explain` and DRA.

Names and values keep DRA's rules: a name is a C identifier of at most 32 characters, a text has at
most 64 bytes.  A word describes the device or, for what it does not say itself, the USB device or
PCI function that it belongs to.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, TypeAlias, cast

from twistdp.select.buses import (
    bus_device,
    ids_of,
    pci_device,
    place,
    usb_controller,
    usb_device,
    usb_interface,
)
from twistdp.select.device import Device
from twistdp.select.quickassist import services
from twistdp.select.reading import read_link

Value: TypeAlias = str | int | bool

_LONGEST: Final = 64
_BUSES: Final = frozenset({"usb", "pci"})


def _vendor(device: Device) -> str | None:
    bus = bus_device(device)
    ids = ids_of(bus) if bus is not None else None
    return ids[0] if ids else None


def _product_id(device: Device) -> str | None:
    bus = bus_device(device)
    ids = ids_of(bus) if bus is not None else None
    return ids[1] if ids else None


def _usb_attribute(name: str) -> Callable[[Device], str | None]:
    def read(device: Device) -> str | None:
        usb = usb_device(device)
        return usb.attribute(name) if usb is not None else None

    return read


def _interface_attribute(name: str) -> Callable[[Device], str | None]:
    def read(device: Device) -> str | None:
        interface = usb_interface(device)
        return interface.attribute(name) if interface is not None else None

    return read


def _nearest(name: str) -> Callable[[Device], str | None]:
    """An attribute of the USB device, or of the nearest device upwards that is no bus's."""
    of_usb = _usb_attribute(name)

    def read(device: Device) -> str | None:
        if usb_device(device) is not None:
            return of_usb(device)
        for each in device.lineage:
            value = each.attribute(name)
            if value or each.subsystem == "pci":
                return value
        return None

    return read


def _serial(device: Device) -> str | None:
    return _nearest("serial")(device)


def _model(device: Device) -> str | None:
    product = _usb_attribute("product")(device)
    if product is not None or usb_device(device) is not None:
        return product
    for each in device.lineage:
        if each.subsystem in ("pci", "platform"):
            return None
        value = each.attribute("model") or each.attribute("name")
        if value:
            return value
    return None


def _port_number(device: Device) -> int | None:
    for each in device.lineage:
        if each.subsystem == "usb-serial":
            return _number(each.attribute("port_number"))
        if each.subsystem in _BUSES:
            return None
    return None


def _number(text: str | None) -> int | None:
    try:
        return int(text) if text else None
    except ValueError:
        return None


def _driver(device: Device) -> str | None:
    """The device's own driver, or that of the nearest device above that it is a function of."""
    for each in device.lineage:
        if each.driver is not None or each.subsystem in _BUSES:
            return each.driver
    return None


def _pci(key: str, part: int) -> Callable[[Device], str | None]:
    def read(device: Device) -> str | None:
        pci = pci_device(device)
        if pci is None or ":" not in pci.uevent.get(key, ""):
            return None
        return pci.uevent[key].lower().split(":")[part].zfill(4)

    return read


def _pci_class(device: Device) -> str | None:
    pci = pci_device(device)
    text = pci.uevent.get("PCI_CLASS") if pci is not None else None
    if not text and pci is not None:
        text = (pci.attribute("class") or "").removeprefix("0x")
    return text.lower().zfill(6) if text else None


def _pci_name(device: Device) -> str | None:
    pci = pci_device(device)
    return pci.name if pci is not None else None


def _numa(device: Device) -> int | None:
    # What is plugged into a USB controller has that one's node, and none of its own.
    for each in (usb_controller(device) or device).lineage:
        node = _number(each.attribute("numa_node"))
        if node is not None and node >= 0:
            return node
    return None


def _iommu(device: Device) -> int | None:
    for each in device.lineage:
        group = each.attribute("iommu_group")
        if group is not None:
            return _number(group)
    return None


def _physfn(device: Device) -> str | None:
    pci = pci_device(device)
    return pci.attribute("physfn") if pci is not None else None


def _vf_number(device: Device) -> int | None:
    pci = pci_device(device)
    physical = pci.link("physfn") if pci is not None else None
    return _functions(physical).get(pci.name) if pci and physical is not None else None


def _functions(physical: Device) -> Mapping[str, int]:
    """The numbers of a function's virtual ones, by address: it has a link virtfnN to each."""
    if _functions not in physical.facts:
        known: dict[str, int] = {}
        with suppress(OSError):  # it went away
            for name in os.listdir(physical.path):
                number = name.removeprefix("virtfn")
                target = read_link(f"{physical.path}/{name}") if number.isdecimal() else None
                if target is not None:
                    known[os.path.basename(target)] = int(number)
        physical.facts[_functions] = known
    return cast(Mapping[str, int], physical.facts[_functions])


def _usb_version(device: Device) -> str | None:
    version = _usb_attribute("version")(device)
    return version.strip() if version else None


def _usb_path(device: Device) -> str | None:
    return place(device) if usb_device(device) is not None else None


WORDS: Final[Mapping[str, tuple[Callable[[Device], Value | None], str]]] = {
    "vendorID": (_vendor, "The vendor of the USB or PCI device: four hexadecimal digits."),
    "productID": (_product_id, "The product of the USB or PCI device: four hexadecimal digits."),
    "serial": (_serial, "The serial number of the USB device, NVMe drive or disk."),
    "manufacturer": (_usb_attribute("manufacturer"), "The manufacturer's name, as USB says it."),
    "product": (_usb_attribute("product"), "The product's name, as USB says it."),
    "modelName": (_model, "The model, whatever bus names it."),
    "interfaceNumber": (
        _interface_attribute("bInterfaceNumber"),
        "The number of the USB interface: two hexadecimal digits.",
    ),
    "interfaceClass": (
        _interface_attribute("bInterfaceClass"),
        "The class of the USB interface: two hexadecimal digits.",
    ),
    "portNumber": (_port_number, "The port of a USB serial adapter that has several."),
    "usbVersion": (_usb_version, "The version of USB that the device speaks, as 2.00."),
    "usbPath": (_usb_path, "Controller, version of the bus and ports to the USB device."),
    "subsystem": (lambda device: device.subsystem or None, "The kernel's subsystem."),
    "driver": (_driver, "The driver of the device, or of the interface that it is a part of."),
    "kernelName": (lambda device: device.name or None, "The kernel's name, as ttyUSB0."),
    "devtype": (lambda device: device.devtype or None, "The kernel's type in the subsystem."),
    "pciBusID": (_pci_name, "The PCI address, as 0000:03:00.0."),
    "pciClass": (_pci_class, "The class of the PCI device: six hexadecimal digits."),
    "subsystemVendorID": (_pci("PCI_SUBSYS_ID", 0), "The vendor of the PCI subsystem."),
    "subsystemDeviceID": (_pci("PCI_SUBSYS_ID", 1), "The device of the PCI subsystem."),
    "numaNode": (_numa, "The NUMA node."),
    "iommuGroup": (_iommu, "The number of the IOMMU group."),
    "physfn": (_physfn, "The PCI address of the physical function of a virtual one."),
    "vfNumber": (_vf_number, "The number of a virtual function among those of its physical one."),
    "qatServices": (
        services,
        "The services of a virtual function of Intel's QuickAssist, as cy, dc or sym-dc.",
    ),
    "macAddress": (
        lambda device: device.attribute("address") if device.subsystem == "net" else None,
        "The address of a network interface.",
    ),
    "major": (lambda device: device.number[0] if device.number else None, "The major number."),
    "minor": (lambda device: device.number[1] if device.number else None, "The minor number."),
}
"""How each word is found, and what it means, for the reference."""


def word(device: Device, name: str) -> Value | None:
    """One word of the vocabulary in full; None if the device has none.  Raises KeyError."""
    value = WORDS[name][0](device)
    return value if value != "" else None


def describe(device: Device) -> Mapping[str, Value]:
    """The words that are known of a device, with values that DRA accepts."""
    found: dict[str, Value] = {}
    for name in WORDS:
        value = word(device, name)
        if isinstance(value, str):
            value = dra_text(value)
        if value is not None and value != "":
            found[name] = value
    return found


def dra_text(text: str) -> str:
    """A text without control characters; one of more than 64 bytes is cut and ends in a digest."""
    text = "".join(each if each.isprintable() else " " for each in text).strip()
    content = text.encode(errors="replace")
    if len(content) <= _LONGEST:
        return content.decode()
    suffix = f"-{hashlib.sha256(content).hexdigest()[:8]}"
    return content[: _LONGEST - len(suffix)].decode(errors="ignore") + suffix
