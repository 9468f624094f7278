"""Colours as devices: the smallest complete plugin, and the first one to read.

Every file in a directory is a device, and the part of its name before the first ``-`` is its
colour.  With the files ``yellow-0``, ``yellow-1`` and ``blue-0`` a node has the resources

    color.example.com/yellow: 2
    color.example.com/blue: 1

Try it from this repository's root, as root or with directories of your own:

    mkdir -p /run/colors && touch /run/colors/yellow-0
    twistd -n --pidfile= deviceplugin --scanner=examples.color:ColorScanner

Then create and remove files in /run/colors while it runs.
"""

import os
import stat

from twistdp import (
    HEALTHY,
    DeviceInfo,
    DeviceSpec,
    DeviceTree,
    Mount,
    WatchingScanner,
    device_id,
    entries,
)


class ColorScanner(WatchingScanner):
    """Finds colours in `directory`."""

    # The domain of our resources; --namespace on the command line changes it.
    namespace = "color.example.com"

    # The arguments can be given on the command line: --set directory=/run/colors
    # Store values here and do nothing else: this runs before the service starts.
    def __init__(self, directory: str = "/run/colors"):
        # What to watch.  The directory need not exist yet.
        super().__init__(paths=[directory])
        self.directory = directory

    # Called at the start, within milliseconds of every change in the directory, and once in a
    # while.  It runs in a thread of its own, so it may block.  If it raises, the exception is
    # logged, the devices stay as they were, and it is called again later.
    def discover(self) -> DeviceTree:
        """Return all devices that exist now."""
        tree = DeviceTree()
        # A missing directory has no entries, and a tree without devices is fine.
        for name in entries(self.directory):
            color = name.partition("-")[0]
            path = os.path.join(self.directory, name)
            # The type becomes the resource's name.  The id must be unique within it, and stay the
            # same whatever other devices appear.
            tree.add_device(color, device_id(name), self.device(path))
        return tree

    def device(self, path: str) -> DeviceInfo:
        """One device: its health, and what a container that gets it needs."""
        # The container gets a device node with a cgroup rule that allows opening it; a plain file
        # is mounted.
        if is_device_node(path):
            return DeviceInfo(HEALTHY, nodes=[DeviceSpec(path, permissions="rw")])
        return DeviceInfo(HEALTHY, mounts=[Mount(path, path, read_only=True)])


def is_device_node(path: str) -> bool:
    """Whether `path` is a character or block device."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
