"""The scanner for many resources."""

import os

from twistdp import HEALTHY, DeviceInfo, DeviceTree, Mount, WatchingScanner


class FolderScanner(WatchingScanner):
    """Each folder of `directory` is a resource, and its files are the devices."""

    def __init__(self, directory: str) -> None:
        super().__init__(paths=[directory])
        self.directory = directory

    def discover(self) -> DeviceTree:
        """List all folders."""
        tree = DeviceTree()
        self.paths = [self.directory]
        for resource in os.listdir(self.directory):
            folder = os.path.join(self.directory, resource)
            self.paths.append(folder)
            for name in os.listdir(folder):
                mount = Mount(os.path.join(folder, name), f"/run/files/{name}")
                tree.add_device(resource, name, DeviceInfo(HEALTHY, mounts=[mount]))
        return tree
