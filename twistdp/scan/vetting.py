"""Devices whose paths others could change are left out: no scanner's author need think of it."""

import os
from collections.abc import Collection, Mapping
from typing import Final

from twistdp.errors import Untrusted
from twistdp.host import HostPaths, host_paths, may_others_write, mounted_paths, programs
from twistdp.model import DeviceInfo, Devices

_RENEWED: Final = 200
"""So many directories are looked at again with each tree, in turn."""


class Vetting:
    """Tells which devices of one scanner's trees have paths that others could change.

    In the scanner's thread.  A device costs a look at its paths when it is new or has changed, and
    with each tree if it is refused or something of it lies where others may make entries; of
    others, the directories are looked at again now and then.
    """

    def __init__(self) -> None:
        self._hosts = HostPaths()
        self._everything = False
        self._unsettled: dict[str, set[str]] = {}  # by type, the ids that are checked every time

    def begin(self) -> None:
        """Another tree comes."""
        self._everything = self._hosts.renew(_RENEWED)

    def refused(self, kind: str, devices: Devices, changed: Collection[str]) -> Mapping[str, str]:
        """Why some devices of a type are left out, by id; `changed` are not as they were."""
        again = (one for one in self._unsettled.get(kind, ()) if one in devices)
        ids = devices if self._everything else {*changed, *again}
        found, unsettled = {}, set()
        for device_id in ids:
            try:
                is_fleeting = self._check(devices[device_id])
            except Untrusted as error:
                found[device_id] = f"{error} (--check-paths=false allows such devices)"
            except OSError as error:
                found[device_id] = f"its paths cannot be looked at: {error}"
            else:
                if is_fleeting:
                    unsettled.add(device_id)
        self._unsettled[kind] = unsettled.union(found)
        return found

    def _check(self, info: object) -> bool:
        """Raise `Untrusted` and OSError for a device; whether one of its paths is fleeting."""
        if not isinstance(info, DeviceInfo):
            return False  # it is refused for that
        is_fleeting = False
        for path in host_paths(info):
            is_fleeting |= self._hosts.check(path)
        for path in mounted_paths(info):
            is_fleeting |= self._hosts.check(path)
        for path in programs(info):
            is_fleeting |= self._hosts.check(path)
            _check_program(path)
        return is_fleeting


def _check_program(path: str) -> None:
    """What the runtime runs as root is nobody else's to write."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return
    if may_others_write(path, found):
        raise Untrusted(path, "others may write to it", f"chmod go-w {path}")
