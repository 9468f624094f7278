"""Scanners for tests with child processes."""

import threading

from twistdp import HEALTHY, DeviceInfo, DeviceTree, WatchingScanner


class HangsSecondTime(WatchingScanner):
    """Finds one device, then hangs for ever in the next scan."""

    namespace = "hang.example.com"

    def __init__(self) -> None:
        super().__init__(rescan_interval=0.05)
        self.first = True

    def discover(self) -> DeviceTree:
        """Return once, then never again."""
        if not self.first:
            threading.Event().wait()
        self.first = False
        tree = DeviceTree()
        tree.add_device("thing", "thing-0", DeviceInfo(HEALTHY))
        return tree
