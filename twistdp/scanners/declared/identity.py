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
        self._known: dict[int, str] = {}
        self._before: dict[int, str] = {}

    def begin(self) -> None:
        """Begin a whole look: what is not asked for until its end is not plugged in."""
        self._before, self._known = self._before | self._known, {}

    def end(self) -> None:
        """End a whole look."""
        self._before = {}

    def of(self, device: Device, by_place: bool = False) -> str:
        """The id of a device that is there; with `by_place` a serial number does not matter."""
        if by_place:
            return default_id(device, by_place=True)
        key = _incarnation(device)
        if key not in self._known:
            self._known[key] = self._before.get(key) or default_id(device)
        return self._known[key]


def _incarnation(device: Device) -> int:
    """What differs for another device, in the same place too."""
    usb = usb_device(device) or device
    words = ("vendorID", "productID", "serial")
    own = name_of(device)
    return hash((own, *map(usb.uevent.get, _KEYS), *(word(usb, name) for name in words)))
