"""An allocator that reserves hardware first, and then uses the default response.

The reservation is a call to something that may take a while (here: a file that is made), so it is
done in a thread; a hook may return a Deferred or be a coroutine.
"""

import os
import re

from twisted.internet.threads import deferToThread
from zope.interface import implementer

from twistdp import (
    HEALTHY,
    AllocateRequest,
    AllocationRefused,
    DeviceInfo,
    DeviceSpec,
    DeviceTree,
    IAllocator,
    UseDefaultMethod,
    WatchingScanner,
    entries,
    klog,
)


@implementer(IAllocator)
class ReservingScanner(WatchingScanner):
    """Finds the instruments of `directory`; a reservation is a file beside the instrument."""

    namespace = "lab.example.com"

    def __init__(self, directory: str = "/dev/lab"):
        super().__init__(paths=[directory], contents=False)
        self.directory = directory

    def discover(self) -> DeviceTree:
        """Every instrument is a device."""
        tree = DeviceTree()
        for name in entries(self.directory):
            if re.fullmatch("scope[0-9]+", name):
                node = DeviceSpec(os.path.join(self.directory, name))
                tree.add_device("scope", name, DeviceInfo(HEALTHY, nodes=[node]))
        return tree

    async def allocate(self, request: AllocateRequest) -> type[UseDefaultMethod]:
        """Reserve each instrument; a refusal here refuses the pod, with this text."""
        for container in request.container_requests:
            for device_id in container.devices_ids:
                await deferToThread(self.reserve, device_id)
                klog.V(2).info("reserved", device=device_id)
        return UseDefaultMethod

    def reserve(self, device_id: str) -> None:
        """Make the reservation's file."""
        try:
            with open(os.path.join(self.directory, f"{device_id}.reserved"), "x"):
                pass
        except FileExistsError:
            raise AllocationRefused(
                f"{device_id} is reserved by somebody outside Kubernetes; ask the lab to free it"
            ) from None
