"""The single conditions of a match."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import attrs

from twistdp.errors import BadSetting
from twistdp.select.buses import bus_device, ids_of, pci_device, usb_device
from twistdp.select.device import Device
from twistdp.select.expressions import regular
from twistdp.select.outcome import Outcome
from twistdp.select.patterns import (
    Pattern,
    hex_pattern,
    one_of,
    path_pattern,
    text_pattern,
)
from twistdp.select.reading import Undecidable
from twistdp.select.vocabulary import word


@attrs.frozen
class Condition:
    """Whether a device meets something, and why: nearly always only the first is asked for."""

    holds: Callable[[Device], bool | None]
    """The answer, as `Outcome.ok`."""
    _why: Callable[[Device], str]
    """The reason for the answer that `holds` gives."""

    def test(self, device: Device) -> Outcome:
        """The answer with the reason."""
        return Outcome(self.holds(device), self._why(device))


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
    "vfNumber": "virtual function",
    "numaNode": "NUMA node",
    "iommuGroup": "IOMMU group",
}


def _wanted(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"one of {', '.join(texts)}"


def _of_value(
    name: Callable[[Device], str],
    read: Callable[[Device], str | Undecidable | None],
    patterns: Sequence[Pattern],
    texts: Sequence[str],
) -> Condition:
    """What `read` gives matches one of the patterns; `name` is what that is called."""
    matches = one_of(patterns)
    wanted = _wanted(texts)

    def holds(device: Device) -> bool | None:
        value = read(device)
        if value is None:
            return False
        return None if isinstance(value, Undecidable) else matches(value)

    def why(device: Device) -> str:
        value, what = read(device), name(device)
        if value is None:
            return f"{device.name} has no {what}, the rule wants {wanted}"
        if isinstance(value, Undecidable):
            return f"{what} is undecidable: {value.reason}"
        text = f"{what} is {value}"
        return text if matches(value) else f"{text}, the rule wants {wanted}"

    return Condition(holds, why)


def of_word(name: str, texts: Sequence[str]) -> Condition:
    """A word of the vocabulary is one of these."""
    width = _HEX.get(name)
    patterns = [hex_pattern(text, width) if width else text_pattern(text) for text in texts]
    plain = _NAMES.get(name, name)

    def read(device: Device) -> str | None:
        value = word(device, name)
        return value if value is None or isinstance(value, str) else str(value)

    def called(device: Device) -> str:
        bus = bus_device(device) if name in _OF_BUS else None
        return f"{bus.subsystem.upper()} {plain}" if bus is not None else plain

    return _of_value(called, read, patterns, texts)


def of_attribute(name: str, texts: Sequence[str]) -> Condition:
    """A file of the device in sysfs has one of these contents."""
    if name.startswith("/") or ".." in name.split("/") or not name:
        raise BadSetting(f"attribute {name!r}: name a file below the device's directory")
    texts = [text.strip() for text in texts]  # as attributes are read
    return _named(f"attribute {name}", lambda device: device.reading(name), texts)


def of_property(name: str, texts: Sequence[str]) -> Condition:
    """A property of udev is one of these."""
    return _named(f"property {name}", lambda device: device.property(name), texts)


def of_uevent(name: str, texts: Sequence[str]) -> Condition:
    """A key of the device's ``uevent`` is one of these."""
    return _named(f"uevent key {name}", lambda device: device.uevent.get(name), texts)


def _named(
    what: str, read: Callable[[Device], str | Undecidable | None], texts: Sequence[str]
) -> Condition:
    return _of_value(lambda _: what, read, [text_pattern(text) for text in texts], texts)


def of_ids(bus: str, texts: Sequence[str]) -> Condition:
    """The USB device's or PCI function's ``vendor:product`` is one of these."""
    patterns = [_ids_pattern(bus, text) for text in texts]
    find = usb_device if bus == "USB" else pci_device
    wanted = _wanted(texts)

    def ids(device: Device) -> tuple[str, str] | None:
        found = find(device)
        return ids_of(found) if found is not None else None

    def holds(device: Device) -> bool:
        found = ids(device)
        return found is not None and any(
            vendor.matches(found[0]) and product.matches(found[1]) for vendor, product in patterns
        )

    def why(device: Device) -> str:
        found = ids(device)
        if found is None:
            return f"{device.name} is no {bus} device, nor part of one"
        text = f"{bus} id is {found[0]}:{found[1]}"
        return text if holds(device) else f"{text}, the rule wants {wanted}"

    return Condition(holds, why)


def _ids_pattern(bus: str, text: str) -> tuple[Pattern, Pattern]:
    vendor, colon, product = text.partition(":")
    if not vendor or (colon and not product):
        raise BadSetting(f"{bus} id {text!r}: write vendor:product, as 10c4:ea60 or 046d:*")
    return hex_pattern(vendor), hex_pattern(product if colon else "*")


def literal_ids(text: str) -> tuple[str, str] | None:
    """Vendor and product that a text means; None if it means several."""
    vendor, product = _ids_pattern("", text)
    if vendor.literal is None or product.literal is None:
        return None
    return vendor.literal, product.literal


def of_driver(texts: Sequence[str]) -> Condition:
    """The driver is one of these; for a USB device, that of one of its interfaces may be."""
    matches = one_of([text_pattern(text) for text in texts])
    wanted = _wanted(texts)

    def why(device: Device) -> str:
        drivers = list(_drivers(device))
        for driver in drivers:
            if matches(driver):
                return f"driver is {driver}"
        if not drivers:
            return f"{device.name} has no driver, the rule wants {wanted}"
        found = ", ".join(dict.fromkeys(drivers))
        return f"{device.name} is bound to {found}, the rule wants {wanted}"

    return Condition(lambda device: any(map(matches, _drivers(device))), why)


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


def of_path(patterns: Sequence[str]) -> Condition:
    """The node or a link to it is one of these."""
    for pattern in patterns:
        path_pattern(pattern)
        if not f"{pattern}/".startswith("/dev/"):
            raise BadSetting(f"path {pattern!r}: nodes of devices are below /dev; mounts are not")
    wanted = _wanted(patterns)

    def matching(device: Device) -> str | None:
        for pattern in patterns:
            if device.node is not None and device.host.is_at(device.node, pattern):
                return pattern
        return None

    def why(device: Device) -> str:
        node, pattern = device.node, matching(device)
        if pattern is not None:
            return f"{node} matches {pattern}"
        if node is None:
            return f"{device.name} has no node, the rule wants {wanted}"
        if device.host.resolve(node) is None:
            return f"the node {node} is gone"
        return f"neither {node} nor a link to it matches {wanted}"

    return Condition(lambda device: matching(device) is not None, why)


def of_path_regex(texts: Sequence[str]) -> Condition:
    """A regular expression finds something in the path of the node or of a link to it."""
    patterns = [regular(text, "path") for text in texts]
    wanted = _wanted(texts)

    def matching(device: Device) -> str | None:
        node = device.node
        if node is None or device.host.resolve(node) is None:
            return None
        for path in (node, *device.host.all_links_to(node)):
            if any(pattern.search(path) for pattern in patterns):
                return path
        return None

    def why(device: Device) -> str:
        path = matching(device)
        if path is not None:
            return f"{path} matches"
        if device.node is None:
            return f"{device.name} has no node, the rule wants /{wanted}/"
        return f"neither {device.node} nor a link to it matches /{wanted}/"

    return Condition(lambda device: matching(device) is not None, why)


def of_list(texts: Sequence[str], what: str) -> Condition:
    """One of the device's names is in a list: ids, addresses, serial, node, links, kernel name."""
    matches = one_of(
        [text_pattern(each) for text in texts for each in (text, text.lower().removeprefix("0x"))]
    )

    def why(device: Device) -> str:
        for name in _names_of(device):
            if matches(name):
                return f"{name} is in {what}"
        return f"{device.name} is not in {what}"

    return Condition(lambda device: any(map(matches, _names_of(device))), why)


def _names_of(device: Device) -> Iterator[str]:
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
