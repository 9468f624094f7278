"""A scanner for the machine, which has no other of our tests."""

import glob

from twistdp import CDIDevice, DeviceInfo, DeviceTree, WatchingScanner, klog
from twistdp.cdi import CDINode
from twistdp.devices import HEALTHY


class Nodes(WatchingScanner):
    """Nodes /dev/tdp*, each with a CDI part; it talks, and has trouble with a tdp-bad."""

    namespace = "lab.example.com"

    def __init__(self) -> None:
        super().__init__(paths=["/dev"])

    def discover(self) -> DeviceTree:
        """Look."""
        klog.warning("it is warm here")
        tree = DeviceTree()
        for path in glob.glob("/dev/tdp*"):
            if path == "/dev/tdp-bad":
                raise RuntimeError("this one is bad")
            info = DeviceInfo(HEALTHY, cdi=CDIDevice(nodes=[CDINode(path)]))
            tree.add_device("thing", path.removeprefix("/dev/"), info)
        return tree
