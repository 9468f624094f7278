"""The soak's part in the plugin process: a scanner with CDI parts, and a view inside."""

import asyncio
import ctypes
import gc
import json
import os
import sys
from collections import Counter
from typing import Any

from twisted.internet.task import LoopingCall, deferLater
from zope.interface import implementer

from twistdp import (
    HEALTHY,
    UNHEALTHY,
    AllocateResponse,
    DeviceInfo,
    DeviceTree,
    INotifier,
    IPostAllocator,
    IScanner,
    UseDefaultMethod,
    WatchingScanner,
)
from twistdp.model import CDIDevice
from twistdp.rpc import loop_of

NAMESPACE = "soak.example.com"
INTERVAL = 1.0
"""Seconds from one view inside to the next."""
OBJECTS = 30
"""After this number of views the objects are counted too, which takes some 50 ms."""


@implementer(IPostAllocator)
class CdiScanner(WatchingScanner):
    """Each file of `directory` is a device, and its content is what containers get.

    A file that is empty is an unhealthy device.  Allocation takes a moment, so that calls can be
    given up while they are answered.
    """

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
            state = HEALTHY if content else UNHEALTHY
            cdi = CDIDevice(env={f"SOAK_{name}": content or "none"})
            envs = {f"SOAK_{name}": content}
            tree.add_device("cdi", name, DeviceInfo(state, envs=envs, cdi=cdi))
        return tree

    async def post_allocate(self, response: AllocateResponse) -> type[UseDefaultMethod]:
        """Take a while."""
        from twisted.internet import reactor

        await deferLater(reactor, 0.005)
        return UseDefaultMethod


class _MallInfo(ctypes.Structure):
    """``struct mallinfo2`` (mallinfo(3))."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in [
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        ]
    ]


def _malloc() -> int:
    """Bytes in use from the C library, without those that it merely keeps."""
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = _MallInfo
    info = mallinfo()
    return int(info.uordblks + info.hblkhd)


@implementer(IScanner)
class Probe:
    """Finds no device, but writes figures that only the process itself can see into `path`."""

    namespace = NAMESPACE

    def __init__(self, path: str) -> None:
        self.path = path
        self._views = 0
        self._objects: dict[str, int] = {}

    def scan(self, notifier: INotifier) -> Any:
        """Look inside from time to time."""
        return LoopingCall(self.look).start(INTERVAL)

    def look(self) -> None:
        """Replace the file atomically."""
        from twisted.internet import reactor

        if self._views % OBJECTS == 0:
            self._objects = dict(
                Counter(type(one).__name__ for one in gc.get_objects()).most_common(40)
            )
        self._views += 1
        view = {
            "timers": len(reactor.getDelayedCalls()),
            "tasks": len(asyncio.all_tasks(loop_of(reactor))),
            "objects": sum(self._objects.values()),
            "blocks": sys.getallocatedblocks() / 1e3,
            "malloc": _malloc() / 1e6,
            "types": self._objects,
        }
        with open(f"{self.path}.new", "w", encoding="ascii") as file:
            json.dump(view, file)
        os.replace(f"{self.path}.new", self.path)
