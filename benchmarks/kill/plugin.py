"""The scanner of the killed process."""

import os

from twisted.internet.task import deferLater
from zope.interface import implementer

from twistdp import (
    HEALTHY,
    AllocateResponse,
    DeviceInfo,
    DeviceTree,
    IPostAllocator,
    UseDefaultMethod,
    WatchingScanner,
)
from twistdp.model import CDIDevice

NAMESPACE = "kill.example.com"
ANSWERING = 0.005
"""Seconds that an allocation takes, so that a kill can happen during one."""


@implementer(IPostAllocator)
class FileScanner(WatchingScanner):
    """Each file ``<type>.<number>`` of `directory` is a device of that type, with a CDI part."""

    namespace = NAMESPACE

    def __init__(self, directory: str) -> None:
        super().__init__(paths=[directory])
        self.directory = directory

    def discover(self) -> DeviceTree:
        """Read all files."""
        tree = DeviceTree()
        for name in os.listdir(self.directory):
            try:
                with open(os.path.join(self.directory, name), encoding="ascii") as file:
                    content = file.read()
            except FileNotFoundError:
                continue  # gone meanwhile
            cdi = CDIDevice(env={"CONTENT": content})
            tree.add_device(name.split(".")[0], name, DeviceInfo(HEALTHY, cdi=cdi))
        return tree

    async def post_allocate(self, response: AllocateResponse) -> type[UseDefaultMethod]:
        """Take a while."""
        from twisted.internet import reactor

        await deferLater(reactor, ANSWERING)
        return UseDefaultMethod
