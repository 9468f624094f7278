"""Resets devices before each start and restart of a container.

Here a reset is a file that is written; with real hardware it may be an ioctl or a tool.  A
container is not started while the reset fails, and the kubelet tries again.
"""

import os
import re

from zope.interface import implementer

from twistdp import (
    HEALTHY,
    DeviceInfo,
    DeviceSpec,
    DeviceTree,
    IContainerPreStarter,
    PreStartContainerRequest,
    WatchingScanner,
    entries,
)


@implementer(IContainerPreStarter)
class ResettingScanner(WatchingScanner):
    """Finds the modems of `directory`."""

    namespace = "modem.example.com"

    def __init__(self, directory: str = "/dev/modems"):
        super().__init__(paths=[directory], contents=False)
        self.directory = directory

    def discover(self) -> DeviceTree:
        """Every modem is a device."""
        tree = DeviceTree()
        for name in entries(self.directory):
            if re.fullmatch("modem[0-9]+", name):
                node = DeviceSpec(os.path.join(self.directory, name))
                tree.add_device("modem", name, DeviceInfo(HEALTHY, nodes=[node]))
        return tree

    def pre_start_container(self, request: PreStartContainerRequest) -> None:
        """Reset the container's devices."""
        for device_id in request.devices_ids:
            with open(os.path.join(self.directory, f"{device_id}.reset"), "w") as file:
                file.write("1")
