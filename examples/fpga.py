"""FPGA-like ports: the default allocation, with an annotation added to its response.

Some container runtimes program an FPGA before a container starts, and find the mode in an
annotation.  `post_allocate` adds it to the response and leaves all that is there.
"""

import os
import re

from zope.interface import implementer

from twistdp import (
    HEALTHY,
    AllocateResponse,
    DeviceInfo,
    DeviceSpec,
    DeviceTree,
    IPostAllocator,
    WatchingScanner,
    entries,
)


@implementer(IPostAllocator)
class FpgaScanner(WatchingScanner):
    """Finds the ports ``port0``, ``port1`` and so on of `directory`; `mode` is af or region."""

    namespace = "fpga.example.com"

    def __init__(self, directory: str = "/dev/fpga", mode: str = "af"):
        super().__init__(paths=[directory], contents=False)
        self.directory = directory
        self.mode = mode

    def discover(self) -> DeviceTree:
        """Every port is a device."""
        tree = DeviceTree()
        for name in entries(self.directory):
            if re.fullmatch("port[0-9]+", name):
                info = DeviceInfo(
                    HEALTHY,
                    nodes=[DeviceSpec(os.path.join(self.directory, name))],
                    annotations={f"fpga.example.com/{name}": "present"},
                )
                tree.add_device(self.mode, name, info)
        return tree

    def post_allocate(self, response: AllocateResponse) -> None:
        """Add the mode; called just before the default response is sent."""
        for container in response.container_responses:
            container.annotations["fpga.example.com/mode"] = self.mode
