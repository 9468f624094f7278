"""Finds the directories of sysfs that are devices: those with a ``uevent`` file."""

import os
from typing import Final

from twistdp.model import natural_key

_LEFT_OUT: Final = frozenset({"power", "statistics", "msi_irqs", "trace"})
"""Directories of nearly every device, which have no devices in them."""

_SYSTEM: Final = "/devices/system"
_DEEPEST: Final = 16
"""Directories between a device and the next device above it, at most."""


class Walk:
    """Finds devices below the directory `sysfs`; follows no links, and lists a directory once."""

    def __init__(self, sysfs: str) -> None:
        self._sysfs = sysfs
        self._ahead: dict[str, list[str]] = {}
        """The directories in the devices that were found and not yet looked into."""

    def below(self, directory: str) -> list[str]:
        """The nearest devices below `directory`, as ``/devices/...``, in natural order.

        A directory that has gone, or may not be read, has none.
        """
        names = self._ahead.pop(directory, None)
        if names is None:
            names = self._listed(directory)[1]
        found: list[str] = []
        for name in names:
            self._collect(f"{directory}/{name}", 0, found)
        if len(found) > 1:
            found.sort(key=natural_key)
        return found

    def forget_ahead(self) -> None:
        """Forget the directories that were not looked into: what is in them may have changed."""
        self._ahead.clear()

    def _collect(self, directory: str, depth: int, found: list[str]) -> None:
        if directory == _SYSTEM:
            return
        is_device, names = self._listed(directory)
        if is_device:
            found.append(directory)
            self._ahead[directory] = names
        elif depth < _DEEPEST:
            for name in names:
                self._collect(f"{directory}/{name}", depth + 1, found)

    def _listed(self, directory: str) -> tuple[bool, list[str]]:
        """Whether a directory is a device's, and the directories in it."""
        is_device, names = False, []
        try:
            with os.scandir(self._sysfs + directory) as listing:
                for entry in listing:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in _LEFT_OUT:
                            names.append(entry.name)
                    elif entry.name == "uevent":
                        is_device = True
        except OSError:
            pass  # it went away while it was read
        return is_device, names
