"""The single conditions of a match: each a function that gives a device's `Outcome`."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from twistdp.errors import BadSetting
from twistdp.select.buses import bus_device, ids_of, pci_device, usb_device
from twistdp.select.device import Device
from twistdp.select.outcome import Outcome
from twistdp.select.patterns import Pattern, hex_pattern, path_pattern, regular, text_pattern
from twistdp.select.reading import Undecidable
from twistdp.select.vocabulary import word

Test: TypeAlias = Callable[[Device], Outcome]

_HEX: Final = {
    "vendorID": 4,
    "productID": 4,
    "subsystemVendorID": 4,
    "subsystemDeviceID": 4,
    "interfaceNumber": 2,
    "interfaceClass": 2,
    "pciClass": 6,
}
"""Words that are hexadecimal numbers, with their digits."""

_OF_BUS: Final = frozenset({"vendorID", "productID", "serial", "manufacturer", "product"})
_NAMES: Final = {
    "vendorID": "vendor",
    "productID": "product id",
    "kernelName": "kernel name",
    "interfaceNumber": "interface",
    "interfaceClass": "interface class",
    "portNumber": "port number",
    "modelName": "model",
    "usbPath": "USB path",
    "pciBusID": "PCI address",
    "pciClass": "PCI class",
    "subsystemVendorID": "PCI subsystem vendor",
    "subsystemDeviceID": "PCI subsystem device",
    "numaNode": "NUMA node",
    "iommuGroup": "IOMMU group",
}


def _wanted(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"one of {', '.join(texts)}"


def _compared(what: str, value: str, patterns: Sequence[Pattern], wanted: str) -> Outcome:
    for pattern in patterns:
        if pattern.matches(value):
            return Outcome(True, f"{what} is {value}")
    return Outcome(False, f"{what} is {value}, the rule wants {wanted}")


def of_word(name: str, texts: Sequence[str]) -> Test:
    """A word of the vocabulary is one of these."""
    width = _HEX.get(name)
    patterns = [hex_pattern(text, width) if width else text_pattern(text) for text in texts]
    wanted = _wanted(texts)
    plain = _NAMES.get(name, name)

    def test(device: Device) -> Outcome:
        value = word(device, name)
        what = f"{_bus_of(device)}{plain}" if name in _OF_BUS else plain
        if value is None:
            return Outcome(False, f"{device.name} has no {what}, the rule wants {wanted}")
        return _compared(what, str(value), patterns, wanted)

    return test


def _bus_of(device: Device) -> str:
    bus = bus_device(device)
    return f"{bus.subsystem.upper()} " if bus is not None else ""


def of_ids(bus: str, texts: Sequence[str]) -> Test:
    """The USB device's or PCI function's ``vendor:product`` is one of these."""
    patterns = [_ids_pattern(bus, text) for text in texts]
    find = usb_device if bus == "USB" else pci_device
    wanted = _wanted(texts)

    def test(device: Device) -> Outcome:
        found = find(device)
        ids = ids_of(found) if found is not None else None
        if ids is None:
            return Outcome(False, f"{device.name} is no {bus} device and a part of none")
        value = f"{ids[0]}:{ids[1]}"
        for vendor, product in patterns:
            if vendor.matches(ids[0]) and product.matches(ids[1]):
                return Outcome(True, f"{bus} id is {value}")
        return Outcome(False, f"{bus} id is {value}, the rule wants {wanted}")

    return test


def _ids_pattern(bus: str, text: str) -> tuple[Pattern, Pattern]:
    vendor, colon, product = text.partition(":")
    if not vendor or (colon and not product):
        raise BadSetting(f"{bus} id {text!r}: write vendor:product, as 10c4:ea60 or 046d:*")
    return hex_pattern(vendor), hex_pattern(product if colon else "*")


def of_driver(texts: Sequence[str]) -> Test:
    """The driver is one of these; for a USB device, that of one of its interfaces may be."""
    patterns = [text_pattern(text) for text in texts]
    wanted = _wanted(texts)

    def test(device: Device) -> Outcome:
        drivers = list(_drivers(device))
        for driver in drivers:
            if any(pattern.matches(driver) for pattern in patterns):
                return Outcome(True, f"driver is {driver}")
        if not drivers:
            return Outcome(False, f"{device.name} has no driver, the rule wants {wanted}")
        found = ", ".join(dict.fromkeys(drivers))
        return Outcome(False, f"{device.name} is bound to {found}, the rule wants {wanted}")

    return test


def _drivers(device: Device) -> Iterator[str]:
    """The drivers from a device up to the interface or function that it is a part of."""
    if usb_device(device) is device:
        for child in device.children:
            if child.devtype == "usb_interface" and child.driver is not None:
                yield child.driver
    for each in device.lineage:
        if each.driver is not None:
            yield each.driver
        if each.subsystem in ("usb", "pci"):
            return


def of_path(patterns: Sequence[str]) -> Test:
    """The node or a link to it is one of these."""
    for pattern in patterns:
        path_pattern(pattern)
    wanted = _wanted(patterns)

    def test(device: Device) -> Outcome:
        node = device.node
        if node is None:
            return Outcome(False, f"{device.name} has no node, the rule wants {wanted}")
        for pattern in patterns:
            if node in device.host.nodes_of(pattern):
                return Outcome(True, f"{node} matches {pattern}")
        if device.host.resolve(node) is None:
            return Outcome(False, f"the node {node} is gone")
        return Outcome(False, f"neither {node} nor a link to it matches {wanted}")

    return test


def of_path_regex(texts: Sequence[str]) -> Test:
    """A regular expression finds something in the path of the node or of a link to it."""
    patterns = [regular(text, "path") for text in texts]
    wanted = _wanted(texts)

    def test(device: Device) -> Outcome:
        node = device.node
        if node is None or device.host.resolve(node) is None:
            return Outcome(False, f"{device.name} has no node, the rule wants /{wanted}/")
        for path in (node, *device.host.all_links_to(node)):
            if any(pattern.search(path) for pattern in patterns):
                return Outcome(True, f"{path} matches")
        return Outcome(False, f"neither {node} nor a link to it matches /{wanted}/")

    return test


def _of_value(
    what: str, read: Callable[[Device], str | Undecidable | None], texts: Sequence[str]
) -> Test:
    patterns = [text_pattern(text) for text in texts]
    wanted = _wanted(texts)

    def test(device: Device) -> Outcome:
        value = read(device)
        if isinstance(value, Undecidable):
            return Outcome(None, f"{what} is undecidable: {value.reason}")
        if value is None:
            return Outcome(False, f"{device.name} has no {what}, the rule wants {wanted}")
        return _compared(what, value, patterns, wanted)

    return test


def of_attribute(name: str, texts: Sequence[str]) -> Test:
    """A file of the device in sysfs has one of these contents."""
    if name.startswith("/") or ".." in name.split("/") or not name:
        raise BadSetting(f"attribute {name!r}: name a file below the device's directory")
    return _of_value(f"attribute {name}", lambda device: device.reading(name), texts)


def of_property(name: str, texts: Sequence[str]) -> Test:
    """A property of udev is one of these."""
    return _of_value(f"property {name}", lambda device: device.property(name), texts)


def of_uevent(name: str, texts: Sequence[str]) -> Test:
    """A key of the device's ``uevent`` is one of these."""
    return _of_value(f"uevent key {name}", lambda device: device.uevent.get(name), texts)


def names_of(device: Device) -> Iterator[str]:
    """What an allow or deny list can call a device."""
    yield device.name
    bus = bus_device(device)
    ids = ids_of(bus) if bus is not None else None
    if ids is not None:
        yield f"{ids[0]}:{ids[1]}"
        yield ids[1]
    for name in ("pciBusID", "usbPath", "serial"):
        value = word(device, name)
        if value:
            yield str(value)
    if device.node is not None:
        yield device.node
        yield from device.host.all_links_to(device.node)


def of_list(texts: Sequence[str], what: str) -> Test:
    """One of the device's names is in a list: ids, addresses, serial, node, links, kernel name."""
    patterns = [text_pattern(text) for text in texts]
    patterns += [text_pattern(text.lower().removeprefix("0x")) for text in texts]

    def test(device: Device) -> Outcome:
        for name in names_of(device):
            if any(pattern.matches(name) for pattern in patterns):
                return Outcome(True, f"{name} is in {what}")
        return Outcome(False, f"{device.name} is not in {what}")

    return test
