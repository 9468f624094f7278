"""Scanners for tests with child processes."""

import logging
import os
import sys
import threading
import warnings
from typing import Any

from twisted.logger import ILogObserver, formatEvent
from zope.interface import implementer

from twistdp import HEALTHY, CDIDevice, CDINode, DeviceInfo, DeviceTree, WatchingScanner, klog


class HangsSecondTime(WatchingScanner):
    """Finds one device, then hangs for ever in the next scan."""

    namespace = "hang.example.com"

    def __init__(self) -> None:
        super().__init__(rescan_interval=0.05)
        self.first = True

    def discover(self) -> DeviceTree:
        """Return once, then never again."""
        if not self.first:
            threading.Event().wait()
        self.first = False
        tree = DeviceTree()
        tree.add_device("thing", "thing-0", DeviceInfo(HEALTHY))
        return tree


class Talks(WatchingScanner):
    """Finds one device, and logs it in every way that Python has."""

    namespace = "talk.example.com"

    def discover(self) -> DeviceTree:
        """Speak, and return."""
        klog.info("said through klog", number=1)
        klog.V(3).info("said with level 3")
        logging.getLogger("talk").warning("said through %s", "logging")
        warnings.warn("said through warnings", stacklevel=1)
        print("said through print")  # noqa: T201
        tree = DeviceTree()
        tree.add_device("thing", "thing-0", DeviceInfo(HEALTHY))
        return tree


def observer() -> Any:
    """A --logger for twistd."""
    stdout = sys.stdout

    @implementer(ILogObserver)
    def observe(event: dict[str, Any]) -> None:
        stdout.write(f"observed {formatEvent(event)}\n")
        stdout.flush()

    return observe


def file_observer() -> Any:
    """A --logger that appends to the file that TALK_LOG names."""

    @implementer(ILogObserver)
    def observe(event: dict[str, Any]) -> None:
        with open(os.environ["TALK_LOG"], "a", encoding="utf-8") as file:
            file.write(f"{formatEvent(event)}\n")

    return observe


class Described(WatchingScanner):
    """Finds one device that has a CDI part."""

    namespace = "cdi.example.com"

    def discover(self) -> DeviceTree:
        """Return it."""
        tree = DeviceTree()
        cdi = CDIDevice(nodes=[CDINode("/dev/null")])
        tree.add_device("thing", "thing-0", DeviceInfo(HEALTHY, cdi=cdi))
        return tree


class Verbose(WatchingScanner):
    """Each file of `directory` is a device, whose CDI part has 3000 bytes."""

    namespace = "verbose.example.com"

    def __init__(self, directory: str) -> None:
        super().__init__(paths=[directory])
        self.directory = directory

    def discover(self) -> DeviceTree:
        """Look."""
        tree = DeviceTree()
        for name in os.listdir(self.directory):
            cdi = CDIDevice(env={name.upper(): 3000 * "x"})
            tree.add_device("thing", name, DeviceInfo(HEALTHY, cdi=cdi))
        return tree
