"""The netlink socket on which the kernel reports what happens to devices."""

import errno
import os
import socket
from contextlib import suppress
from fcntl import ioctl
from typing import Final

from twistdp.host import keep_from_children
from twistdp.uevents.message import LONGEST

_FAMILY: Final = 15
"""NETLINK_KOBJECT_UEVENT, which Python's socket module does not name."""

_KERNEL: Final = 1
"""The group of the kernel's own messages; udev sends its own to another."""

BUFFER: Final = 8 * 1024 * 1024
"""Bytes that the kernel keeps while the process reads nothing: room for some 20 000 events."""

MOST: Final = 100
"""Messages that are read in one turn of the reactor; each takes some 5 µs."""

_FORCE: Final = 33
"""SO_RCVBUFFORCE: as SO_RCVBUF, beyond the node's limit, for those with CAP_NET_ADMIN."""

_OWN_NAMESPACE: Final = "/proc/self/ns/net"

_NS_GET_USERNS: Final = 0xB701
"""Opens the user namespace that owns a namespace; see ioctl_nsfs(2)."""

_OF_THE_NODE: Final = 0xEFFFFFFD
"""The inode of the node's own user namespace, which every kernel has."""


class UeventSocket:
    """The socket; closed until it is opened."""

    def __init__(self, buffer: int = BUFFER) -> None:
        self._buffer = buffer
        self._socket: socket.socket | None = None
        keep_from_children(self)

    def descriptors(self) -> tuple[int, ...]:
        """See `twistdp.host.children.Owner`."""
        return () if self._socket is None else (self.fileno(),)

    def fileno(self) -> int:
        """Return the descriptor, -1 while there is none."""
        return -1 if self._socket is None else self._socket.fileno()

    def open(self) -> None:
        """Open it.  Raises OSError, also where a sandbox does not allow such sockets."""
        opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _FAMILY)
        try:
            try:
                opened.setsockopt(socket.SOL_SOCKET, _FORCE, self._buffer)
            except PermissionError:
                # As much as the node allows; with less, events are lost sooner, which is noticed.
                with suppress(OSError):
                    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
            opened.bind((0, _KERNEL))
        except BaseException:
            opened.close()
            raise
        self._socket = opened

    def close(self) -> None:
        """Close it."""
        closed, self._socket = self._socket, None
        if closed is not None:
            closed.close()

    def is_deaf(self) -> bool:
        """Whether no event of a device reaches the socket, though it could be opened.

        The kernel sends them to every network namespace of the node's own user namespace, as
        pods' are.  To one of another user namespace it sends those of its own interfaces alone.
        """
        try:
            namespace = os.open(_OWN_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
            try:
                owner = ioctl(namespace, _NS_GET_USERNS)
            finally:
                os.close(namespace)
        except OSError:
            # An old kernel, a sandbox, or an owner above the process's own user namespace.
            return False
        try:
            return os.fstat(owner).st_ino != _OF_THE_NODE
        finally:
            os.close(owner)

    def read(self) -> tuple[list[bytes], bool]:
        """Read what the kernel has sent, at most `MOST` messages, and whether any were lost.

        What others have sent to the socket is dropped: only the kernel has the address 0.  Raises
        OSError.
        """
        assert self._socket is not None
        found: list[bytes] = []
        has_lost = False
        for _ in range(MOST):
            try:
                message, (sender, _groups) = self._socket.recvfrom(LONGEST)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                has_lost = True
                continue
            if sender == 0:
                found.append(message)
        return found, has_lost
