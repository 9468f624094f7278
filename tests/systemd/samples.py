"""Scanners for the machine, which has no other of our tests."""

import contextlib
import ctypes
import fcntl
import glob
import mmap
import multiprocessing
import os
import socket
import stat
import sys
from collections.abc import Callable, Collection

import grpc

from twistdp import CDIDevice, DeviceInfo, DeviceTree, WatchingScanner, klog
from twistdp.cdi import service as cdi_service
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    AllocateRequest,
    AllocateResponse,
    ContainerAllocateRequest,
)
from twistdp.model.cdi import CDINode
from twistdp.model.devices import HEALTHY

# A minute otherwise.
cdi_service.TIDY_AFTER = 0.5  # type: ignore[misc]

FIBMAP = 1
IO_URING_SETUP = 425  # on all processors


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


class Hears(WatchingScanner):
    """A device, and another one after an event of the kernel."""

    namespace = "lab.example.com"
    uevents = ("block",)
    rescan_interval = 3600.0

    def __init__(self) -> None:
        super().__init__(rescan_interval=3600.0)

    def discover(self) -> DeviceTree:
        """One device."""
        tree = DeviceTree()
        tree.add_device("thing", "one", DeviceInfo(HEALTHY))
        return tree

    def follow(self, changed: Collection[str]) -> DeviceTree:
        """Two."""
        tree = self.discover()
        tree.add_device("thing", "two", DeviceInfo(HEALTHY))
        return tree


def connect() -> None:
    """Reach somebody on the machine's own network, whose port is in a file."""
    with open("/etc/twistdp/port", encoding="ascii") as file:
        socket.create_connection(("127.0.0.1", int(file.read())), timeout=5).close()


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


def see_users() -> None:
    """Learn which user a file belongs to that is not root's."""
    if (user := os.stat("/dev/tdp-user").st_uid) != 1:
        raise PermissionError(f"it seems to belong to user {user}")


def make_ring() -> None:
    """Make a queue for system calls that no filter sees."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(IO_URING_SETUP, 1, bytes(120)) < 0:
        raise OSError(ctypes.get_errno(), "io_uring_setup")


def share() -> None:
    """Make a semaphore for other processes, which is in shared memory."""
    multiprocessing.Semaphore()


def signal_another() -> None:
    """Send a signal to a process of root's, whose number is in a file."""
    with open("/etc/twistdp/process", encoding="ascii") as file:
        os.kill(int(file.read()), 0)


ATTEMPTS: dict[str, Callable[[], None]] = {
    "network": connect,
    "code": make_code,
    "rawio": use_raw_io,
    "chroot": change_root,
    "users": see_users,
    "ring": make_ring,
    "semaphore": share,
    "signal": signal_another,
}


def use(path: str) -> None:
    """Open a file and read from it, list a directory, or connect to who listens on a socket.

    With ``+`` before the path, open it to write.  Raises OSError, also if there is nothing.
    """
    if path.startswith("+"):
        os.close(os.open(path[1:], os.O_WRONLY))
        return
    mode = os.stat(path).st_mode
    if stat.S_ISSOCK(mode):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
        return
    if stat.S_ISDIR(mode):
        found = bool(os.listdir(path))
    else:
        with open(path, "rb") as file:
            # Not every device can be read from.
            found = not stat.S_ISREG(mode) or bool(file.read(1))
    if not found:
        raise FileNotFoundError(f"nothing is in {path}")


def attempt(what: str) -> None:
    """Do one of `ATTEMPTS`, or `use` the path."""
    if what in ATTEMPTS:
        ATTEMPTS[what]()
    else:
        use(what)


class Tries(WatchingScanner):
    """Has a device if `attempt` succeeds with `what`."""

    namespace = "lab.example.com"

    def __init__(self, what: str) -> None:
        super().__init__(paths=["/dev"], contents=False)
        self.what = what

    def discover(self) -> DeviceTree:
        """Try it."""
        attempt(self.what)
        tree = DeviceTree()
        tree.add_device("thing", "done", DeviceInfo(HEALTHY))
        return tree


class Uses(WatchingScanner):
    """Says with which of some words `attempt` succeeds, whenever a device comes or goes."""

    namespace = "lab.example.com"

    def __init__(self, what: list[str]) -> None:
        super().__init__(paths=["/dev"], contents=False)
        self.what = what

    def discover(self) -> DeviceTree:
        """Try them."""
        devices = len(glob.glob("/dev/tdp*"))
        used = []
        for path in self.what:
            with contextlib.suppress(OSError):
                attempt(path)
                used.append(path)
        klog.info(f"with {devices}: {used}")
        return DeviceTree()


def allocate(path: str, device: str) -> None:
    """Ask the plugin at a socket for a device, as the kubelet does."""
    with grpc.insecure_channel(f"unix:{path}") as channel:
        call = channel.unary_unary(
            "/v1beta1.DevicePlugin/Allocate",
            request_serializer=AllocateRequest.SerializeToString,
            response_deserializer=AllocateResponse.FromString,
        )
        container = ContainerAllocateRequest(devices_ids=[device])
        sys.stdout.write(f"{call(AllocateRequest(container_requests=[container]))}\n")


if __name__ == "__main__":
    allocate(*sys.argv[1:])
