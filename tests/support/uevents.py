"""Events of the kernel, for tests: real ones, and messages like the kernel's."""

import fcntl
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from unittest import SkipTest

FAMILY = 15  # NETLINK_KOBJECT_UEVENT
_HEADER = struct.Struct("=IHHII")
# linux/if_tun.h and linux/sockios.h
_TUNSETIFF = 0x400454CA
_IFF_TAP = 2
_SIOCSIFNAME = 0x8923
_REQUEST_AND_ACKNOWLEDGE = 5


def message(action: str, path: str, subsystem: str, more: Mapping[str, str] | None = None) -> bytes:
    """A message as the kernel writes it."""
    keys = {"ACTION": action, "DEVPATH": path, "SUBSYSTEM": subsystem, **(more or {})}
    texts = [f"{action}@{path}", *(f"{key}={value}" for key, value in keys.items()), "SEQNUM=7"]
    return "\0".join(texts).encode() + b"\0"


def require_events() -> None:
    """Skip the test unless root can make the kernel send events here."""
    if os.geteuid() != 0:
        raise SkipTest("only root can make the kernel send events")
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, FAMILY).close()
    except OSError as error:
        raise SkipTest(f"no netlink socket for the kernel's events: {error}") from error


def a_block_device() -> str:
    """The syspath of a virtual block device, whose events disturb nothing."""
    require_events()
    names = sorted(name for name in os.listdir("/sys/block") if name.startswith(("loop", "ram")))
    if not names or not os.access(f"/sys/block/{names[0]}/uevent", os.W_OK):
        raise SkipTest("no loop device or RAM disk to make events of")
    return os.path.realpath(f"/sys/block/{names[0]}").removeprefix("/sys")


def make_event(path: str, action: str = "change") -> None:
    """Make the kernel send an event of the device at a syspath."""
    with open(f"/sys{path}/uevent", "w", encoding="ascii") as file:
        file.write(action)


def send(text: bytes, port: int = 0, groups: int = 0) -> None:
    """Send a message as a process would: to a socket's port, or to everybody in groups.

    With neither, the kernel is asked to send it as its own, which it does for root.
    """
    with closing(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, FAMILY)) as sender:
        if not port and not groups:
            length = _HEADER.size + len(text)
            text = _HEADER.pack(length, 16, _REQUEST_AND_ACKNOWLEDGE, 1, 0) + text
        sender.sendto(text, (port, groups))


@contextmanager
def network_interface(name: str) -> Iterator[None]:
    """A network interface for the duration of the block: a device without a node."""
    require_events()
    try:
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise SkipTest(f"no network interface can be made: {error}") from error
    try:
        fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP))
        yield
    finally:
        os.close(tun)


def rename_interface(name: str, wanted: str) -> None:
    """Give a network interface another name: its device moves."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16s16s8x", name.encode(), wanted.encode())
        fcntl.ioctl(any_socket, _SIOCSIFNAME, request)


def bound_device() -> tuple[str, str]:
    """The syspaths of a virtual random number source and its driver, which may be unbound."""
    require_events()
    driver = "/sys/bus/virtio/drivers/virtio_rng"
    try:
        names = [name for name in os.listdir(driver) if name.startswith("virtio")]
    except OSError:
        names = []
    if not names or not os.access(f"{driver}/unbind", os.W_OK):
        raise SkipTest("no virtio_rng device, whose driver can be unbound without harm")
    return os.path.realpath(f"{driver}/{names[0]}").removeprefix("/sys"), driver


def bind(path: str, driver: str, how: str = "bind") -> None:
    """Bind a driver to a device, or `unbind` it."""
    with open(f"{driver}/{how}", "w", encoding="ascii") as file:
        file.write(os.path.basename(path))
