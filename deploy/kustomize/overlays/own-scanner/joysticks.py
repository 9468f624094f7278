"""Joysticks: every one that the kernel has is a device ``joystick.example.com/joystick``."""

import glob
import os

from twistdp import HEALTHY, DeviceInfo, DeviceSpec, DeviceTree, WatchingScanner


class JoystickScanner(WatchingScanner):
    """Finds ``js0``, ``js1`` and so on in `directory`."""

    namespace = "joystick.example.com"

    def __init__(self, directory: str = "/dev/input"):
        super().__init__(paths=[directory], contents=False)
        self.directory = directory

    def discover(self) -> DeviceTree:
        """What is there now."""
        tree = DeviceTree()
        for path in glob.glob(os.path.join(self.directory, "js[0-9]*")):
            node = DeviceSpec(host_path=path, container_path=path)
            tree.add_device("joystick", os.path.basename(path), DeviceInfo(HEALTHY, nodes=[node]))
        return tree
