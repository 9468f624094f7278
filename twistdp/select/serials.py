"""Serial numbers that tell devices apart, and those that do not."""

import re
from collections import Counter
from typing import Final

from twistdp.select.buses import ids_of, usb_device
from twistdp.select.device import Device
from twistdp.select.host import Host

_PLACEHOLDERS: Final = re.compile(
    r"0*1?|(?P<same>.)(?P=same)*|[0-9a-f]{1,3}|none|null|n/?a|default|unknown|empty"
    r"|serial(?: ?number)?|not specified|to be filled.*"
    r"|0*[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"
)
_RUNS: Final = ("0123456789abcdef" * 2, "1234567890" * 3, "abcdefghijklmnop")
"""What manufacturers put in place of a serial number, and the PCI address that root hubs have."""


_SERIALS: Final = "USB serial numbers"


def is_placeholder(serial: str) -> bool:
    """Whether a text stands where a serial number should be and is none."""
    text = "".join(each for each in serial if each.isalnum() or each in " /:.")
    text = text.strip().lower()
    if len(text) > 3 and any(text in run for run in _RUNS):
        return True
    return _PLACEHOLDERS.fullmatch(text) is not None


def usb_serial(device: Device) -> str | None:
    """The serial number of the USB device that a device belongs to, if it tells it apart.

    None for a placeholder, and for a serial number that another device of the same vendor and
    product has that is plugged in now.
    """
    usb = usb_device(device)
    serial = usb.attribute("serial") if usb is not None else None
    if usb is None or not serial or is_placeholder(serial):
        return None
    ids = ids_of(usb)
    return serial if ids is not None and _counts(usb.host)[(*ids, serial)] == 1 else None


def why_no_serial(device: Device) -> str:
    """Why a device's serial number does not tell it apart, for people; empty if it does."""
    usb = usb_device(device)
    if usb is None:
        return "it is no USB device"
    serial = usb.attribute("serial")
    if not serial:
        return "it has no serial number"
    if is_placeholder(serial):
        return f"its serial number {serial} is a placeholder"
    ids = ids_of(usb)
    others = _counts(usb.host)[(*ids, serial)] - 1 if ids is not None else 0
    if others < 1:
        return ""
    device_or_devices = "other device has" if others == 1 else "other devices have"
    return f"{others} {device_or_devices} its serial number {serial}"


def count_again(device: Device, step: int) -> None:
    """Count a USB device that came (1) or went (-1), if they have been counted."""
    if device.host.has_remembered(_SERIALS):
        _serials(device.host).count(device, step)


class _Serials:
    """How many USB devices have each vendor, product and serial number."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self._of: dict[str, tuple[str, str, str]] = {}  # what is gone can no longer be read

    def count(self, device: Device, step: int) -> None:
        if step < 0:
            name = self._of.pop(device.syspath, None)
        else:
            name = _name(device)
        if name is not None:
            self.counts[name] += step
            if step > 0:
                self._of[device.syspath] = name


def _name(device: Device) -> tuple[str, str, str] | None:
    if device.subsystem != "usb" or device.devtype != "usb_device":
        return None
    serial = device.attribute("serial")
    ids = ids_of(device) if serial else None
    return (*ids, serial) if serial and ids is not None else None


def _serials(host: Host) -> _Serials:
    return host.remembered(_SERIALS, _count)


def _counts(host: Host) -> Counter[tuple[str, str, str]]:
    return _serials(host).counts


def _count(host: Host) -> _Serials:
    found = _Serials()
    for usb in host.by_subsystem.get("usb", ()):
        found.count(usb, 1)
    return found


def disk_serial(disk: Device) -> str | None:
    """A disk's WWID, or its UUID in dm and md; None if another disk has it too."""
    wwid = _wwid(disk)
    if wwid is None:
        return None
    return wwid if disk.host.remembered("WWIDs", _count_disks)[wwid] == 1 else None


def _count_disks(host: Host) -> Counter[str]:
    disks = host.by_subsystem.get("block", ())
    return Counter(wwid for disk in disks if (wwid := _wwid(disk)) is not None)


def _wwid(disk: Device) -> str | None:
    if disk.devtype == "partition" or disk.attribute("hidden") == "1":
        return None
    for name in ("wwid", "device/wwid", "dm/uuid", "md/uuid"):
        text = disk.attribute(name)
        if text and re.search("[1-9a-zA-Z]", text.partition(".")[2] or text):
            return re.sub(r"\s+", "_", text)
    return None
