"""Refuses devices whose paths others could change, so that scanners need not check them."""

import os
from collections.abc import Collection, Mapping
from typing import Final

from twistdp.errors import Untrusted
from twistdp.host import HostPaths, host_paths, may_others_write, mounted_paths, programs
from twistdp.model import DeviceInfo, Devices

_RENEWED: Final = 200
"""Directories that are checked again with each tree, in turn."""


class Vetting:
    """Refuses devices of one scanner whose paths others could change, in the scanner's thread.

    The paths of a device are checked when it is new or has changed.  If it was refused, or a path
    lies where others may make entries, they are checked with each tree.  Of all other devices, the
    directories are checked again now and then.
    """

    def __init__(self) -> None:
        self._hosts = HostPaths()
        self._everything = False
        self._unsettled: dict[str, set[str]] = {}  # by type, the ids that are checked every time

    def begin(self) -> None:
        """Begin with another tree."""
        self._everything = self._hosts.renew(_RENEWED)

    def refused(
        self,
        kind: str,
        devices: Devices,
        changed: Collection[str],
        *,
        checked: Collection[str] = (),
    ) -> Mapping[str, str]:
        """Return reasons against devices of a type, by id.

        `changed` ids are not as before, and `checked` paths were checked by the scanner.
        """
        again = (one for one in self._unsettled.get(kind, ()) if one in devices)
        ids = devices if self._everything else {*changed, *again}
        found, unsettled = {}, set()
        for device_id in ids:
            try:
                is_fleeting = self._check(devices[device_id], checked)
            except Untrusted as error:
                found[device_id] = f"{error} (--check-paths=false allows such devices)"
            except OSError as error:
                found[device_id] = f"its paths cannot be looked at: {error}"
            else:
                if is_fleeting:
                    unsettled.add(device_id)
        self._unsettled[kind] = unsettled.union(found)
        return found

    def _check(self, info: object, checked: Collection[str]) -> bool:
        """Return whether a path of a device is fleeting.  Raises `Untrusted` and OSError."""
        if not isinstance(info, DeviceInfo):
            return False  # it is refused for that
        is_fleeting = False
        if info.cdi is None:  # as usual, and quicker
            for node in info.nodes:
                is_fleeting |= self._hosts.check(node.host_path, checked)
            for mount in info.mounts:
                is_fleeting |= self._hosts.check(mount.host_path, checked)
            return is_fleeting
        for path in host_paths(info):
            is_fleeting |= self._hosts.check(path)
        for path in mounted_paths(info):
            is_fleeting |= self._hosts.check(path)
        for path in programs(info):
            is_fleeting |= self._hosts.check(path)
            _check_program(path)
        return is_fleeting


def _check_program(path: str) -> None:
    """Raise `Untrusted` if others may write to a program that the runtime runs as root."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return
    if may_others_write(path, found):
        raise Untrusted(path, "others may write to it", f"chmod go-w {path}")
