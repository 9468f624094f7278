"""Devices whose paths others could change are left out: no scanner's author need think of it."""

import os
from collections.abc import Collection, Mapping
from typing import Final

from twistdp.devices import DeviceInfo, Devices
from twistdp.errors import Untrusted
from twistdp.hostpaths import HostPaths
from twistdp.presence import host_paths, mounted_paths, programs
from twistdp.trust import may_others_write

_RENEWED: Final = 200
"""So many directories are looked at again with each tree, in turn."""


class Vetting:
    """Tells which devices of one scanner's trees have paths that others could change.

    In the scanner's thread.  A device costs a look at its paths when it is new or has changed; of
    others, the directories are looked at again now and then.
    """

    def __init__(self) -> None:
        self._hosts = HostPaths()
        self._everything = False
        self._refused: dict[str, dict[str, str]] = {}

    def begin(self) -> None:
        """Another tree comes."""
        self._everything = self._hosts.renew(_RENEWED)

    def refused(self, kind: str, devices: Devices, changed: Collection[str]) -> Mapping[str, str]:
        """Why some devices of a type are left out, by id; `changed` are not as they were."""
        before = self._refused.get(kind, {})
        again = (device_id for device_id in before if device_id in devices)
        ids = devices if self._everything else {*changed, *again}
        found = {}
        for device_id in ids:
            if reason := self._problem(devices[device_id]):
                found[device_id] = reason
        self._refused[kind] = found
        return found

    def _problem(self, info: object) -> str | None:
        if not isinstance(info, DeviceInfo):
            return None  # it is refused for that
        try:
            for path in host_paths(info):
                self._hosts.check(path)
            for path in mounted_paths(info):
                self._hosts.check(path)
            for path in programs(info):
                self._hosts.check(path)
                _check_program(path)
        except Untrusted as error:
            return f"{error} (--check-paths=false allows such devices)"
        except OSError as error:
            return f"its paths cannot be looked at: {error}"
        return None


def _check_program(path: str) -> None:
    """What the runtime runs as root is nobody else's to write."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return
    if may_others_write(found):
        raise Untrusted(path, "others may write to it", f"chmod go-w {path}")
