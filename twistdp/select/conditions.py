"""The single conditions of a match."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import attrs

from twistdp.errors import BadSetting
from twistdp.select.buses import bus_device, ids_of, pci_device, usb_device
from twistdp.select.device import Device
from twistdp.select.outcome import Outcome
from twistdp.select.patterns import (
    Pattern,
    class_pattern,
    hex_pattern,
    ids_pattern,
    is_expression,
    one_of,
    text_pattern,
)
from twistdp.select.reading import Undecidable
from twistdp.select.values import Values
from twistdp.select.vocabulary import word


@attrs.frozen
class Condition:
    """Whether a device meets something, and why: nearly always only the first is asked for."""

    holds: Callable[[Device], bool | None]
    """The answer, as `Outcome.ok`."""
    _why: Callable[[Device], str]
    """The reason for the answer that `holds` gives."""
    values: Values | None = None
    """What it reads, if that is a text and it holds for some texts."""

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
}
"""Words that are hexadecimal ids, with their digits."""

_LOWER_CASE: Final = frozenset({"macAddress", "pciBusID"})
"""Words that the kernel writes with small letters, and people with capitals too."""

_WITHOUT_DOMAIN: Final = re.compile(r"[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
"""A PCI address as ``lspci`` prints it."""

_SHOWN: Final = 5
"""Texts of a long list that a reason has: each candidate has one."""

_MOST_GLOBS: Final = 2
"""Parts of an attribute's path with ``*``: each may have links that lead to all devices."""

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
    "qatServices": "QuickAssist services",
    "numaNode": "NUMA node",
    "iommuGroup": "IOMMU group",
}


def wanted_text(texts: Sequence[str]) -> str:
    """What a rule wants, for people."""
    if len(texts) == 1:
        return texts[0]
    more = len(texts) - _SHOWN
    if more < _SHOWN:
        return f"one of {', '.join(texts)}"
    return f"one of {', '.join(texts[:_SHOWN])} and {more} more"


def _of_value(
    what: str,
    name: Callable[[Device], str],
    read: Callable[[Device], str | Undecidable | None],
    patterns: Sequence[Pattern],
    texts: Sequence[str],
) -> Condition:
    """What `read` gives matches one of the patterns.

    `name` is what that is called for a device, and `what` tells it apart.
    """
    matches = one_of(patterns)
    wanted = wanted_text(texts)

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

    return Condition(
        holds, why, Values(what, read, matches, _all(each.literal for each in patterns))
    )


def _all(literals: Iterable[str | None]) -> Sequence[str] | None:
    """The texts, if none is missing."""
    found = list(literals)
    return [each for each in found if each is not None] if None not in found else None


def of_word(name: str, texts: Sequence[str]) -> Condition:
    """A word of the vocabulary is one of these."""
    patterns = [_pattern(name, text) for text in texts]
    plain = _NAMES.get(name, name)

    def read(device: Device) -> str | None:
        value = word(device, name)
        return value if value is None or isinstance(value, str) else str(value)

    def called(device: Device) -> str:
        bus = bus_device(device) if name in _OF_BUS else None
        return f"{bus.subsystem.upper()} {plain}" if bus is not None else plain

    return _of_value(f"word {name}", called, read, patterns, texts)


def _pattern(name: str, text: str) -> Pattern:
    if name == "pciClass":
        return class_pattern(text)
    if name in _LOWER_CASE and not is_expression(text):
        text = text.lower()
        if name == "pciBusID" and _WITHOUT_DOMAIN.fullmatch(text):
            text = f"0000:{text}"
    width = _HEX.get(name)
    return hex_pattern(text, width) if width else text_pattern(text)


def of_attribute(name: str, texts: Sequence[str]) -> Condition:
    """A file of the device in sysfs has one of these contents."""
    if name.startswith("/") or ".." in name.split("/") or not name:
        raise BadSetting(f"attribute {name!r}: name a file below the device's directory")
    if sum("*" in part for part in name.split("/")) > _MOST_GLOBS:
        raise BadSetting(
            f"attribute {name!r}: so many * would look through all of sysfs for each device; name "
            f"the directories of all but {_MOST_GLOBS}"
        )
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
    return _of_value(what, lambda _: what, read, [text_pattern(text) for text in texts], texts)


def of_ids(bus: str, texts: Sequence[str]) -> Condition:
    """The USB device's or PCI function's ``vendor:product`` is one of these."""
    patterns = [_ids_pattern(bus, text) for text in texts]
    matches = one_of(patterns)
    find = usb_device if bus == "USB" else pci_device
    wanted = wanted_text(texts)

    def ids(device: Device) -> str | None:
        found = find(device)
        pair = ids_of(found) if found is not None else None
        return ":".join(pair) if pair is not None else None

    def holds(device: Device) -> bool:
        found = ids(device)
        return found is not None and matches(found)

    def why(device: Device) -> str:
        found = ids(device)
        if found is None:
            return f"{device.name} is no {bus} device, nor part of one"
        text = f"{bus} id is {found}"
        return text if matches(found) else f"{text}, the rule wants {wanted}"

    literals = _all(each.literal for each in patterns)
    return Condition(holds, why, Values(f"{bus} ids", ids, matches, literals))


def _ids_pattern(bus: str, text: str) -> Pattern:
    vendor, colon, product = text.partition(":")
    if not vendor or (colon and not product):
        raise BadSetting(f"{bus} id {text!r}: write vendor:product, as 10c4:ea60 or 046d:*")
    return ids_pattern(text)


def of_driver(texts: Sequence[str]) -> Condition:
    """The driver is one of these; for a USB device, that of one of its interfaces may be."""
    matches = one_of([text_pattern(text) for text in texts])
    wanted = wanted_text(texts)

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
