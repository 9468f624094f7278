"""Who may open a node: its owner, group and mode."""

import grp
import os
import pwd
import stat
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from twistdp.select.device import Device

OWNER: Final = "__DEVOWNER"
GROUP: Final = "__DEVGROUP"
MODE: Final = "__DEVMODE"
"""Properties in which a recording keeps them; the mode has four octal digits."""


@attrs.frozen
class Access:
    """Owner and group of a node, as names where the host has names for them, and its mode."""

    owner: str
    group: str
    mode: int
    gid: int | None = None
    """The group's number, which pods need; None of a host that was recorded."""


def access(device: Device) -> Access | None:
    """Who may open the device's node; None if it has none or it is gone.

    Of a host that was recorded, what was recorded.
    """
    if device.node is None:
        return None
    known = device.host.udev.entry(device.udev_key).properties
    mode = known.get(MODE, "")
    if 0 < len(mode) <= 5 and set(mode) <= set("01234567"):
        return Access(known.get(OWNER, "?"), known.get(GROUP, "?"), int(mode, 8))
    node = device.host.resolve(device.node)
    if node is None:
        return None
    try:
        status = os.lstat(device.host.prefix + node)
    except OSError:
        return None
    return Access(
        _name(pwd.getpwuid, status.st_uid),
        _name(grp.getgrgid, status.st_gid),
        stat.S_IMODE(status.st_mode),
        status.st_gid,
    )


def _name(find: Callable[[int], Sequence[object]], number: int) -> str:
    try:
        return str(find(number)[0])
    except KeyError:
        return str(number)
