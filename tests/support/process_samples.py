"""Scanners for tests with child processes."""

import logging
import os
import signal
import sys
import threading
import warnings
from typing import Any

from twisted.logger import ILogObserver, Logger, formatEvent
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


class _Interrupts:
    """A value that sends its own process a signal when a log line shows it."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __str__(self) -> str:
        os.kill(os.getpid(), self.number)
        return "interrupted"


class InterruptedStart(WatchingScanner):
    """A signal arrives once in the middle of a log line, before the reactor runs.

    That is while the options are parsed, or when the service starts.
    """

    namespace = "early.example.com"

    def __init__(self, number: int = signal.SIGINT, parsing: bool = False) -> None:
        super().__init__()
        self.number = number
        self.interrupted = False
        if parsing:
            self.interrupt()

    def interrupt(self) -> None:
        """Log such a line."""
        self.interrupted = True
        value = _Interrupts(self.number)
        formatEvent({"log_format": "the start is {value}", "value": value})

    @property
    def uevents(self) -> tuple[str, ...]:
        """The events of the kernel to follow: none."""
        if not self.interrupted:
            self.interrupt()
        return ()

    @uevents.setter
    def uevents(self, value: object) -> None:
        pass

    def discover(self) -> DeviceTree:
        """Nothing."""
        return DeviceTree()


class InterruptedTwice(WatchingScanner):
    """Two signals arrive in the middle of a log line of the reactor's thread."""

    namespace = "twice.example.com"

    def discover(self) -> DeviceTree:
        """Nothing."""
        from twisted.internet import reactor

        reactor.callFromThread(self.log)  # type: ignore[attr-defined]
        return DeviceTree()

    def log(self) -> None:
        """Log two such lines."""
        for number in (signal.SIGINT, signal.SIGTERM):
            Logger().info("the work is {value}", value=_Interrupts(number))
