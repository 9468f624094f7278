"""Joysticks: every one that the kernel has is a device ``joystick.example.com/joystick``."""

import os
import re

from twistdp import HEALTHY, DeviceInfo, DeviceSpec, DeviceTree, WatchingScanner, entries


class JoystickScanner(WatchingScanner):
    """Finds ``js0``, ``js1`` and so on in `directory`."""

    namespace = "joystick.example.com"

    def __init__(self, directory: str = "/dev/input"):
        super().__init__(paths=[directory], contents=False)
        self.directory = directory

    def discover(self) -> DeviceTree:
        """What is there now."""
        tree = DeviceTree()
        for name in entries(self.directory):
            if re.fullmatch("js[0-9]+", name):
                node = DeviceSpec(os.path.join(self.directory, name))
                tree.add_device("joystick", name, DeviceInfo(HEALTHY, nodes=[node]))
        return tree
