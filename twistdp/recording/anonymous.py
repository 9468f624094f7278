"""Replaces what names one specimen: serial numbers, MAC addresses, UUIDs of file systems."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import attrs

from twistdp.recording.text import Recorded
from twistdp.select import is_placeholder

_ATTRIBUTES: Final = frozenset(
    {"serial", "address", "wwid", "uniq", "subsysnqn", "dm/uuid", "md/uuid"}
)
_PROPERTIES: Final = re.compile(
    r"ID_(.*_)?SERIAL_SHORT|ID_SCSI_SERIAL|ID_WWN.*|HID_UNIQ|UNIQ|DM_UUID|MD_UUID"
)
_LEFT_OUT: Final = re.compile(
    r"ID_FS_(UUID|LABEL).*|ID_PART_ENTRY_(UUID|NAME)|ID_PART_TABLE_UUID|PARTNAME|PARTUUID"
    r"|DM_(VG_|LV_)?NAME|(UDISKS_)?MD_(DEV)?NAME|ID_LOOP_BACKING_.*|SYSTEMD_ALIAS|DEVLINKS"
)
_ATTRIBUTES_LEFT_OUT: Final = frozenset({"dm/name"})
_LINKS_LEFT_OUT: Final = re.compile(
    r"disk/by-(uuid|label|partuuid|partlabel|diskseq|loop-ref|loop-inode)/.*|mapper/.*"
    r"|disk/by-id/(dm|md)-name-.*"
)
_NAMED_BY_PEOPLE: Final = re.compile(r"(dm-|md)\d.*")
"""Nodes of which links outside of ``disk/`` have the names of volumes and arrays."""
_MAC: Final = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_ANY_MAC: Final = re.compile(rf"(?<![0-9a-fA-F:]){_MAC.pattern}(?![0-9a-fA-F:])")
_PCI: Final = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_KINDS: Final = frozenset(
    {"idVendor", "idProduct", "bcdDevice", "vendor", "device", "class", "modalias", "dev"}
    | {"subsystem_vendor", "subsystem_device", "busnum", "devnum", "size", "MODALIAS", "PRODUCT"}
    | {"ID_VENDOR_ID", "ID_MODEL_ID", "PCI_CLASS", "PCI_ID", "PCI_SUBSYS_ID", "PCI_SLOT_NAME"}
    | {"MAJOR", "MINOR", "BUSNUM", "DEVNUM", "IFINDEX", "HID_ID", "SUBSYSTEM", "DRIVER", "TYPE"}
)
"""Attributes and properties that say of which kind a device is: a serial number may look alike."""

_SHORTEST: Final = 4
"""Characters of a text that is looked for everywhere; what is shorter names nothing."""


def anonymous(devices: Iterable[Recorded]) -> tuple[Recorded, ...]:
    """The same devices with other serial numbers and MAC addresses.

    Equal ones stay equal, everywhere: in attributes, properties, names and links.  Lengths and
    kinds of characters stay, and so do placeholders, which name nothing.  Names and UUIDs of file
    systems and partitions are left out.
    """
    devices = [_without(device) for device in devices]
    replacements: dict[str, str] = {}
    for number, secret in enumerate(dict.fromkeys(_secrets(devices))):
        for old, new in _forms(secret, _other(secret, number)):
            replacements.setdefault(old, new)
    if not replacements:
        return tuple(devices)
    # The longest first: one secret may contain another.
    longest_first = sorted(replacements, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)))

    def replaced(text: str) -> str:
        return pattern.sub(lambda found: replacements[found[0]], text)

    return tuple(_replaced(device, replaced) for device in devices)


def _without(device: Recorded) -> Recorded:
    properties = {
        key: value for key, value in device.properties.items() if not _LEFT_OUT.fullmatch(key)
    }
    attributes = {
        name: content
        for name, content in device.attributes.items()
        if name not in _ATTRIBUTES_LEFT_OUT
    }
    claims = tuple(link for link in device.claims if not _LINKS_LEFT_OUT.fullmatch(link))
    if _NAMED_BY_PEOPLE.fullmatch(device.node or ""):
        claims = tuple(link for link in claims if link.startswith("disk/"))
    return attrs.evolve(device, properties=properties, attributes=attributes, claims=claims)


def _secrets(devices: Iterable[Recorded]) -> Iterator[str]:
    for device in devices:
        for name, content in device.attributes.items():
            text = content.decode(errors="surrogateescape")
            if name in _ATTRIBUTES:
                yield from _parts(text)
            yield from _addresses(text)
        for key, value in device.properties.items():
            if _PROPERTIES.fullmatch(key):
                yield from _parts(value)
            yield from _addresses(value)


def _addresses(text: str) -> Iterator[str]:
    """The MAC addresses in a text: a keyboard names the computer's own in ``phys``."""
    for found in _ANY_MAC.finditer(text):
        yield from _parts(found[0])


def _parts(text: str) -> Iterator[str]:
    text = text.strip(' \n\0"')
    if text.startswith(("eui.", "naa.", "uuid.", "nvme.", "t10.")):
        text = text.partition(".")[2]
    named = len(text) >= _SHORTEST and text.strip("0:.- ") and text.lower().strip("f:")
    if named and not is_placeholder(text) and not _PCI.fullmatch(text):
        yield text


def _other(secret: str, number: int) -> str:
    """Another text of the same form, which says nothing of the first."""
    if _MAC.fullmatch(secret):
        digits = f"{number:06x}"
        return f"02:00:00:{digits[-6:-4]}:{digits[-4:-2]}:{digits[-2:]}"
    stream = hashlib.shake_256(f"{number}".encode()).digest(len(secret))
    return "".join(
        "0123456789"[byte % 10]
        if each.isdigit()
        else ("ABCDEF"[byte % 6] if each.isupper() else "abcdef"[byte % 6])
        if each.isalpha()
        else each
        for each, byte in zip(secret, stream, strict=True)
    )


def _forms(old: str, new: str) -> Iterator[tuple[str, str]]:
    """The forms in which a secret appears: in links, without colons, in the other case."""
    for change in (str, _linked, _bare):
        for case in (str, str.lower, str.upper):
            yield case(change(old)), case(change(new))


def _linked(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9#+.:=@_-]+", "_", text.strip())


def _bare(text: str) -> str:
    return text.replace(":", "") if _MAC.fullmatch(text) else text


def _replaced(device: Recorded, replaced: Callable[[str], str]) -> Recorded:
    def values(table: Mapping[str, str]) -> dict[str, str]:
        return {key: value if key in _KINDS else replaced(value) for key, value in table.items()}

    return attrs.evolve(
        device,
        path=replaced(device.path),
        node=replaced(device.node) if device.node is not None else None,
        content=b"",
        claims=tuple(map(replaced, device.claims)),
        properties=values(device.properties),
        attributes={
            name: content
            if name in _KINDS
            else _bytes(replaced(content.decode(errors="surrogateescape")))
            for name, content in device.attributes.items()
        },
        links=values(device.links),
    )


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
