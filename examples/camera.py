"""Cameras for runtimes with the Container Device Interface: owner, group and a hook.

With CDI the runtime makes the changes to a container itself.  It can do what the device plugin API
cannot: give nodes another owner, add supplementary groups, run hooks.  twistdp writes the spec to
``--cdi-dir`` before a camera is advertised, and hands out its name.
"""

import os
import re

from twistdp import HEALTHY, CDIDevice, CDINode, DeviceInfo, DeviceTree, WatchingScanner, entries


class CameraScanner(WatchingScanner):
    """Finds ``video0``, ``video1`` and so on in `directory`; containers run as user `uid`."""

    namespace = "camera.example.com"

    def __init__(self, directory: str = "/dev", uid: int = 1000):
        super().__init__(paths=[directory], contents=False)
        self.directory = directory
        self.uid = uid

    def discover(self) -> DeviceTree:
        """Every camera is a device that CDI describes."""
        tree = DeviceTree()
        for name in entries(self.directory):
            if not re.fullmatch("video[0-9]+", name):
                continue
            path = os.path.join(self.directory, name)
            node = CDINode(path=f"/dev/{name}", host_path=path, uid=self.uid)
            info = DeviceInfo(HEALTHY, cdi=CDIDevice(nodes=[node], env={"CAMERA": node.path}))
            tree.add_device("camera", name, info)
        return tree
