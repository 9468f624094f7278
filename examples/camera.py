"""Cameras for runtimes with the Container Device Interface: owner, group and a hook.

With CDI the runtime makes the changes to a container itself.  It can do what the device plugin API
cannot: give nodes another owner, add supplementary groups, run hooks.  twistdp writes the spec to
``--cdi-dir`` before a camera is advertised, and hands out its name.
"""

import glob
import os

from twistdp import HEALTHY, CDIDevice, CDINode, DeviceInfo, DeviceTree, WatchingScanner


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
        for path in glob.glob(os.path.join(self.directory, "video[0-9]*")):
            node = CDINode(path=f"/dev/{os.path.basename(path)}", host_path=path, uid=self.uid)
            info = DeviceInfo(HEALTHY, cdi=CDIDevice(nodes=[node], env={"CAMERA": node.path}))
            tree.add_device("camera", os.path.basename(path), info)
        return tree
