"""Ids of devices and the host paths that lead to them for good.

An id is a function of the device: the same after replug, reboot and renumbering, with udev or
without, and never that of another device.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, cast

from twistdp.model import device_id
from twistdp.select.buses import (
    ids_of,
    is_counted,
    pci_device,
    place,
    root_hubs,
    usb_controller,
    usb_device,
    usb_interface,
)
from twistdp.select.device import Device
from twistdp.select.kinds import belonging
from twistdp.select.serials import disk_serial, usb_serial
from twistdp.select.vocabulary import word

_Namer: TypeAlias = Callable[[Device], str]

_KEPT_BUSES: Final = frozenset({"i2c", "spi", "platform", "pnp", "acpi", "mdio_bus", "amba"})
"""Buses whose devices have names that come from the board, not from a count."""


def default_id(device: Device, by_place: bool = False) -> str:
    """The id of a device, at most 63 characters.

    A disk's WWID; else, for what is plugged into USB, vendor, product and serial number, if that is
    a real one and no other's, else the place of the port; else the PCI address; else the name that
    the board gives; else the kernel's name, which has a number.  Then what the device is among
    those that belong together: interface, port, index, card or render node.

    With `by_place`, serial numbers of USB devices do not count.
    """
    return device_id(_text(device, by_place))


def _text(device: Device, by_place: bool) -> str:
    if device.subsystem == "block":
        disk = _of_disk(device)
        if disk is not None:
            return disk
    base = _base(device, by_place)
    if base is None:
        name = device.node.removeprefix("/dev/") if device.node else device.name
        return name.replace("/", "_") or device.syspath
    owner, text = base
    parts = [text]
    interface = usb_interface(device)
    if interface is not None:
        parts.append(f"if{interface.attribute('bInterfaceNumber') or interface.name[-1:]}")
    if device is not owner and device is not interface:
        above = interface or owner
        unit = _scsi_unit(device)
        if unit is not None and unit is not device:
            parts.append(_scsi_place(unit, above))
            above = unit
        parts.append(function_name(device, above))
    return "-".join(part for part in parts if part)


def _base(device: Device, by_place: bool) -> tuple[Device, str] | None:
    """What a device is a part of and stays where it is, and its name."""
    usb = usb_device(device)
    if usb is not None:
        serial = None if by_place else usb_serial(usb)
        if serial is not None:
            return usb, f"{word(usb, 'vendorID')}-{word(usb, 'productID')}-{serial}"
    where = place(device)
    owner = usb or pci_device(device)
    if where is not None and owner is not None:
        return owner, where
    if device.subsystem in ("tty", *_KEPT_BUSES):
        return None
    named = [each for each in device.lineage if each.subsystem in _KEPT_BUSES]
    named = [each for each in named if not re.fullmatch(r"(i2c-|spi)\d+", each.name)]
    for each in (*(each for each in named if not is_counted(each)), *named):
        return each, f"{each.subsystem}-{each.name}"
    return _on_board(device)


def _scsi_unit(device: Device) -> Device | None:
    """The disk, tape or other unit of a SCSI host that a device belongs to."""
    for each in device.lineage:
        if each.subsystem in ("usb", "pci"):
            return None
        if each.subsystem == "scsi" and each.devtype == "scsi_device":
            return each
    return None


def _scsi_place(unit: Device, owner: Device) -> str:
    """Where a unit is: its host among those of `owner`, channel, target and LUN, as ``1:0:0:0``.

    Empty for the first, which is the only one nearly everywhere.  SATA has a host for each port.
    """
    host = next((each for each in unit.ancestors if each.devtype == "scsi_host"), None)
    rank = _ranks(owner, host, _same).get(host.syspath, 0) if host is not None else 0
    place = f"{rank}:{unit.name.partition(':')[2]}"
    return "" if place == "0:0:0:0" else place


def _same(_: Device) -> str:
    return ""


def _on_board(device: Device) -> tuple[Device, str] | None:
    """The uppermost device, below a directory of a platform device of which sysfs says no more."""
    *_, top = device.lineage
    directory = os.path.dirname(top.syspath)
    if os.path.basename(directory) == top.subsystem:
        directory = os.path.dirname(directory)
    if not directory.startswith("/devices/platform/"):
        return None
    name = _plain_name(top)
    alike = [
        each.syspath
        for each in device.host.table.below(directory)
        if _plain_name(each) == name and (each.node is None) == (top.node is None)
    ]
    rank = alike.index(top.syspath) if top.syspath in alike else 0
    return top, f"platform-{os.path.basename(directory)}-{name}{f'-{rank}' if rank else ''}"


def _of_disk(device: Device) -> str | None:
    """What tells a disk apart, with the number of the partition."""
    if device.devtype != "partition":
        return disk_serial(device)
    serial, part = (
        disk_serial(device.parent) if device.parent else None,
        device.attribute("partition"),
    )
    return f"{serial}-part{part}" if serial and part else None


def function_name(device: Device, owner: Device) -> str:
    """What a device is among all that belong to `owner`, without a number that the kernel counts.

    ``port0``, ``index0``, ``part1``, ``pcmD0c``, ``card``, ``render``; else the kernel's name
    without its number and, from the second of a name on, its rank in natural order.
    """
    kind = device.subsystem
    if kind == "tty":
        port = word(device, "portNumber")
        if port is not None:
            return f"port{port}"
    if kind == "video4linux":
        index = device.attribute("index")
        if index:
            return _ranked(device, owner, f"{_stem(device.name)}-index{index}", _video_name)
    if kind == "sound":
        return _ranked(device, owner, _sound_name(device), _sound_name)
    if device.devtype == "partition":
        part = device.attribute("partition")
        disk = device.parent
        if part and disk is not None:
            return f"{function_name(disk, owner)}-part{part}"
    return _ranked(device, owner, _plain_name(device), _plain_name)


def _stem(name: str) -> str:
    """A kernel name without its number: `wq.1` for ``dsa/wq0.1``, whose second number is fixed."""
    name = name.rpartition("/")[2]
    found = re.fullmatch(r"dvb\d+\.(\w+)", name)
    if found:
        return f"dvb.{found[1]}"
    found = re.fullmatch(r"([A-Za-z_-]+)\d+[.:](\d+)", name)
    if found:
        return f"{found[1].rstrip('-')}.{found[2]}"
    return re.split(r"\d", name, maxsplit=1)[0].rstrip("-:._") or "n"


_PLAIN: Final = {"block": "disk", "tty": "tty", "net": "net", "i2c-dev": "i2c"}


def _plain_name(device: Device) -> str:
    stem = _PLAIN.get(device.subsystem) or _stem(device.name)
    paired = _paired(device) if device.subsystem in ("hidraw", "input") else ""
    return f"{paired}{'render' if stem == 'renderD' else stem}"


def _paired(device: Device) -> str:
    """The ids of a mouse or keyboard that came by radio: its receiver numbers them as they come."""
    for each in device.lineage:
        found = re.fullmatch(r"[0-9A-F]{4}:([0-9A-F]{4}:[0-9A-F]{4})\.[0-9A-F]+", each.name)
        if found and each.subsystem == "hid":
            usb = usb_device(device)
            of_receiver = ":".join(ids_of(usb) or ()) if usb is not None else ""
            ids = found[1].lower()
            return "" if ids == of_receiver else f"{ids}-"
    return ""


def _video_name(device: Device) -> str:
    return f"{_stem(device.name)}-index{device.attribute('index')}"


def _sound_name(device: Device) -> str:
    """A sound device's name without the number of its card."""
    found = re.fullmatch(r"([a-z]+)C\d+(D\d+\w?)?", device.name)
    return f"{found[1]}{found[2] or ''}" if found else _stem(device.name)


def _ranked(device: Device, owner: Device, name: str, name_of: _Namer) -> str:
    rank = _ranks(owner, device, name_of).get(device.syspath, 0)
    return name if rank == 0 else f"{name}-{rank}"


def _ranks(owner: Device, device: Device, name_of: _Namer) -> Mapping[str, int]:
    """The places of all devices like `device` below `owner` among those with the same name.

    Found out once: an adapter for disks may have a thousand.
    """
    kind = (device.subsystem, device.devtype, device.node is None)
    key = (_ranks, name_of, kind)
    known = owner.facts.get(key)
    if known is None:
        counts: Counter[str] = Counter()
        found: dict[str, int] = {}
        known = owner.facts[key] = found
        for each in belonging(owner):
            if (each.subsystem, each.devtype, each.node is None) == kind:
                name = name_of(each)
                found[each.syspath] = counts[name]
                counts[name] += 1
    return cast(Mapping[str, int], known)


def stable_path(device: Device) -> str | None:
    """The host path of a device's node that leads to this device for good; None without a node.

    A link that udev makes for this device alone: one in ``by-id`` if the device has a serial
    number of its own or a WWID, else one in ``by-path``.  Without such a link, the node.
    """
    node = device.node
    if node is None:
        return None
    links = [link for link in device.host.links_to(node) if "/by-diskseq/" not in link]
    if usb_serial(device) is not None or (device.subsystem == "block" and _of_disk(device)):
        for link in links:
            if "/by-id/" in link:
                return link
    by_path = [link for link in links if "/by-path/" in link]
    if by_path:
        return min(by_path, key=lambda link: (_names_version(link) != _ambiguous(device), link))
    return node


def _names_version(link: str) -> bool:
    return re.search(r"-usbv\d-", link) is not None


def _ambiguous(device: Device) -> bool:
    """Whether the controller has another bus, with ports of the same numbers."""
    controller = usb_controller(device)
    if controller is None:
        return False
    return len(root_hubs(controller)) > 1
