"""A scanner that imports nothing but what every scanner does."""

import sys

from twistdp import HEALTHY, DeviceInfo, DeviceTree, WatchingScanner


class Imports(WatchingScanner):
    """Every module that its process has imported is a device, and so is each scan so far.

    No device goes: what a plugin does then is more.
    """

    namespace = "imports.example.com"

    def __init__(self) -> None:
        super().__init__(rescan_interval=0.05)
        self.scans = 0

    def discover(self) -> DeviceTree:
        """The modules imported so far."""
        self.scans += 1
        tree = DeviceTree()
        for name in list(sys.modules):
            tree.add_device("module", name, DeviceInfo(HEALTHY))
        for number in range(self.scans):
            tree.add_device("module", f"scan:{number + 1}", DeviceInfo(HEALTHY))
        return tree
