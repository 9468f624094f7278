"""Hardware that is files, and the scanner that finds it or not."""

import os

from twistdp import HEALTHY, CDIDevice, DeviceInfo, DeviceTree, WatchingScanner

KINDS = ("one", "two")
"""The kinds of devices that can exist."""

DESCRIBED = "two"
"""Devices of this kind have a CDI part."""


class Broken(Exception):
    """The scanner raises this while it shall fail."""


class FileScanner(WatchingScanner):
    """Each file ``kind.id`` of a directory is a device.

    It fails while `broken`, and finds no tree while `confused`.
    """

    def __init__(self, directory: str) -> None:
        super().__init__(paths=[directory], rescan_interval=3600.0)
        self.directory = directory
        self.broken = False
        self.confused = False

    def discover(self) -> DeviceTree:
        """Look."""
        if self.broken:
            raise Broken
        if self.confused:
            return "no tree"  # type: ignore[return-value]
        tree = DeviceTree()
        for name in os.listdir(self.directory):
            if "." in name:
                kind, id_ = name.split(".")
                cdi = CDIDevice(env={f"ID_{id_}": id_}) if kind == DESCRIBED else None
                tree.add_device(kind, id_, DeviceInfo(HEALTHY, cdi=cdi))
        return tree


class Hardware:
    """The devices that are plugged in; `names` are ``kind.id``."""

    def __init__(self, directory: str) -> None:
        os.mkdir(directory)
        self.hanging = False
        """Whether scans hang, where the scanner's thread is an imitation."""
        self.names: set[str] = set()
        self.scanner = FileScanner(directory)
        self._directory = directory

    def ids(self, kind: str) -> set[str]:
        """The devices of a kind."""
        return {name.split(".")[1] for name in self.names if name.startswith(kind)}

    def plug(self, name: str) -> None:
        """A device comes, if it is not there."""
        with open(os.path.join(self._directory, name), "w", encoding="ascii"):
            self.names.add(name)

    def unplug(self, name: str) -> None:
        """A device goes."""
        os.unlink(os.path.join(self._directory, name))
        self.names.remove(name)

    def toggle(self, name: str) -> None:
        """A device goes if it is there, and comes otherwise."""
        if name in self.names:
            self.unplug(name)
        else:
            self.plug(name)

    def rename(self, name: str, other: str) -> None:
        """A device has another name, which none has, from one moment to the next."""
        os.rename(os.path.join(self._directory, name), os.path.join(self._directory, other))
        self.names.remove(name)
        self.names.add(other)

    def unplug_all(self, kind: str) -> None:
        """All devices of a kind go."""
        for id_ in sorted(self.ids(kind)):
            self.unplug(f"{kind}.{id_}")

    def all_devices_vanish(self) -> None:
        """Of all kinds."""
        for kind in KINDS:
            self.unplug_all(kind)

    def touch(self) -> None:
        """Something happens that is no device."""
        self.plug("x")
        self.unplug("x")

    # What can go wrong with the scanner; each time something happens for which it scans

    def scanner_fails(self) -> None:
        """From now on."""
        self.scanner.broken = True
        self.touch()

    def bad_tree(self) -> None:
        """It finds nonsense from now on."""
        self.scanner.confused = True
        self.touch()

    def scan_hangs(self) -> None:
        """From now on, also one that has begun."""
        self.hanging = True
        self.touch()

    def scanner_works(self) -> None:
        """Again, and what hung returns."""
        self.scanner.broken = self.scanner.confused = self.hanging = False
        self.touch()
