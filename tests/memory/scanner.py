"""A scanner of as many devices as a list has room for."""

import os

from twistdp import HEALTHY, UNHEALTHY, DeviceInfo, DeviceSpec, DeviceTree, WatchingScanner


class ManyScanner(WatchingScanner):
    """`count` devices with ids of `length`; each file in `directory` makes one of them unhealthy.

    As usual scanners do, it makes all of them again each time.
    """

    namespace = "many.example.com"

    def __init__(self, directory: str, count: int, length: int) -> None:
        super().__init__(paths=[directory])
        self.directory = directory
        self.count = count
        self.length = length

    def discover(self) -> DeviceTree:
        """All of them."""
        unhealthy = len(os.listdir(self.directory))
        tree = DeviceTree()
        for number in range(self.count):
            device_id = f"d{number:0{self.length - 1}d}"
            state = UNHEALTHY if number < unhealthy else HEALTHY
            nodes = [DeviceSpec("/dev/null", f"/dev/{device_id}")]
            tree.add_device("device", device_id, DeviceInfo(state, nodes))
        return tree
