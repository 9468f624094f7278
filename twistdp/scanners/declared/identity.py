"""Keeps the ids of devices for as long as they are plugged in."""

from typing import Final

from twistdp.scanners.declared.rule import name_of
from twistdp.select import Device, default_id, usb_device, word

_KEYS: Final = ("BUSNUM", "DEVNUM", "DISKSEQ", "MAJOR", "MINOR")
"""Keys of uevent that another device in the same place has otherwise."""


class Ids:
    """Default ids, each kept until its device is another one.

    An id has the serial number while no other device has that.  A twin that is plugged in later
    gets the id of its port, and the first one keeps its own: a pod may have it.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, str]] = {}

    def of(self, device: Device, by_place: bool = False) -> str:
        """The id of a device that is there; with `by_place` a serial number does not matter."""
        if by_place:
            return default_id(device, by_place=True)
        name = name_of(device)
        incarnation = _incarnation(device)
        known = self._known.get(name)
        if known is None or known[0] != incarnation:
            known = self._known[name] = incarnation, default_id(device)
        return known[1]


def _incarnation(device: Device) -> int:
    """What differs for another device in the same place."""
    usb = usb_device(device) or device
    words = ("vendorID", "productID", "serial")
    return hash((*map(usb.uevent.get, _KEYS), *(word(usb, name) for name in words)))
