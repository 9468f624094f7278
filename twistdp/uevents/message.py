"""The kernel's messages about devices: ``add@/devices/...``, then keys and values."""

import os
import re
from typing import Final, NamedTuple

EVERY: Final = "*"
"""Stands for all subsystems."""

LONGEST: Final = 8192
"""Bytes of a message at most: the kernel writes the path, and 2048 bytes of keys."""

_HEADER: Final = re.compile(rb"([a-z]{1,32})@((?:/[^/\0\n]+)+)\0")
_SUBSYSTEM: Final = b"\0SUBSYSTEM="
_OLD_PATH: Final = b"\0DEVPATH_OLD="
_PATH: Final = re.compile(r"(?:/[^/\0\n]+)+")


class Uevent(NamedTuple):
    """What happened to a device; paths are those below ``/sys``."""

    action: str
    path: str
    subsystem: str
    old_path: str = ""
    """Where the device was before it moved."""


def parsed(message: bytes) -> Uevent | None:
    """The event of a message; None for one that the kernel would not write, such as udev's."""
    header = _HEADER.match(message)
    if header is None:
        return None
    # The last byte of the header is the first of the next key.
    subsystem = _value(message, _SUBSYSTEM, header.end() - 1)
    path = os.fsdecode(header[2])
    if not subsystem or not _is_plain(path):
        return None
    old = _value(message, _OLD_PATH, header.end() - 1) if header[1] == b"move" else ""
    if not (_PATH.fullmatch(old) and _is_plain(old)):
        old = ""
    return Uevent(header[1].decode(), path, subsystem, old)


def _value(message: bytes, key: bytes, start: int) -> str:
    found = message.find(key, start)
    if found < 0:
        return ""
    begin = found + len(key)
    end = message.find(b"\0", begin)
    return os.fsdecode(message[begin : end if end >= 0 else len(message)])


def _is_plain(path: str) -> bool:
    """Whether a path leads nowhere but down."""
    return "/." not in path or not {".", ".."} & set(path.split("/"))
