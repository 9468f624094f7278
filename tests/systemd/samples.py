"""Scanners for the machine, which has no other of our tests."""

import fcntl
import glob
import mmap
import os
import socket
from collections.abc import Callable

from twistdp import CDIDevice, DeviceInfo, DeviceTree, WatchingScanner, cdiparts, klog
from twistdp.cdi import CDINode
from twistdp.devices import HEALTHY

# A minute otherwise.
cdiparts.TIDY_AFTER = 0.5

FIBMAP = 1
NETLINK_KOBJECT_UEVENT = 15


class Nodes(WatchingScanner):
    """Nodes /dev/tdp*, each with a CDI part; it talks, and has trouble with a tdp-bad."""

    namespace = "lab.example.com"

    def __init__(self) -> None:
        super().__init__(paths=["/dev"], contents=False)

    def discover(self) -> DeviceTree:
        """Look."""
        klog.warning("it is warm here")
        tree = DeviceTree()
        for path in glob.glob("/dev/tdp*"):
            if path == "/dev/tdp-bad":
                raise RuntimeError("this one is bad")
            info = DeviceInfo(HEALTHY, cdi=CDIDevice(nodes=[CDINode(path)]))
            tree.add_device("thing", path.removeprefix("/dev/"), info)
        return tree


def connect() -> None:
    """Use the network."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()[:2], timeout=0.5).close()


def listen_to_udev() -> None:
    """Use netlink."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT) as netlink:
        netlink.bind((0, 1))


def make_code() -> None:
    """Map memory that can be both written and run."""
    mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def use_raw_io() -> None:
    """Ask where on the disk a file is: for CAP_SYS_RAWIO alone."""
    with open(__file__, "rb") as file:
        fcntl.ioctl(file, FIBMAP, bytes(4))


def change_root() -> None:
    """Make a system call that is for the privileged."""
    os.chroot("/")


ATTEMPTS: dict[str, Callable[[], None]] = {
    "network": connect,
    "netlink": listen_to_udev,
    "code": make_code,
    "rawio": use_raw_io,
    "chroot": change_root,
}


class Tries(WatchingScanner):
    """Has a device if it can do one of `ATTEMPTS`, or read from the file that `what` names."""

    namespace = "lab.example.com"

    def __init__(self, what: str) -> None:
        super().__init__(paths=["/dev"], contents=False)
        self.what = what

    def discover(self) -> DeviceTree:
        """Try it."""
        if self.what in ATTEMPTS:
            ATTEMPTS[self.what]()
        else:
            with open(self.what, "rb") as file:
                file.read(1)
        tree = DeviceTree()
        tree.add_device("thing", "done", DeviceInfo(HEALTHY))
        return tree
