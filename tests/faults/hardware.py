"""Hardware that is files, the scanner that finds it, and one that is told."""

import os
from typing import Any

from zope.interface import implementer

from twistdp import HEALTHY, DeviceInfo, DeviceTree, INotifier, IScanner, WatchingScanner


class Broken(Exception):
    """What the scanner raises while it is told to fail."""


class FileScanner(WatchingScanner):
    """Each file ``kind.id`` of a directory is a device; it fails while `broken`."""

    def __init__(self, directory: str) -> None:
        super().__init__(paths=[directory], rescan_interval=3600.0)
        self.directory = directory
        self.broken = False

    def discover(self) -> DeviceTree:
        """Look."""
        if self.broken:
            raise Broken
        tree = DeviceTree()
        for name in os.listdir(self.directory):
            if "." in name:
                kind, id_ = name.split(".")
                tree.add_device(kind, id_, DeviceInfo(HEALTHY))
        return tree


class Hardware:
    """What is plugged in; `names` are ``kind.id``."""

    def __init__(self, directory: str) -> None:
        os.mkdir(directory)
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

    def touch(self) -> None:
        """Something happens that is no device."""
        self.plug("x")
        self.unplug("x")


@implementer(IScanner)
class Told:
    """Finds what it is told to find."""

    def __init__(self) -> None:
        self.tree: Any = DeviceTree()
        self.notifier: INotifier | None = None

    def scan(self, notifier: INotifier) -> None:
        """Begin."""
        self.notifier = notifier
        notifier.notify(self.tree)
