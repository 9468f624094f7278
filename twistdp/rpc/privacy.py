"""The descriptors of gRPC and the reactor, which no child of the process may keep.

After the process has been killed, a listening socket in a child would still accept connections,
and an open connection would keep its peer waiting.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakSet

import grpc

from twistdp.host import keep_from_children
from twistdp.rpc import bridge


class Grpc:
    """The descriptors that gRPC has open: its own, and those of servers and channels."""

    def __init__(self) -> None:
        self._own: set[int] = set()
        self._users: WeakSet[Any] = WeakSet()

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Notice the descriptors of gRPC's own, which it opens with the first server or channel.

        The block makes one.  gRPC keeps its own open from then on.
        """
        if self._own:
            yield
            return
        before = _open()
        grpc.aio.init_grpc_aio()
        try:
            yield
        finally:
            # Other threads open and close files meanwhile.
            self._own = {
                fd
                for fd, what in _open().items()
                if what.startswith(("anon_inode:", "socket:")) and before.get(fd) != what
            }

    def used_by(self, user: Any) -> None:
        """While `user` lives, sockets that are bound or connected to its `place` are gRPC's."""
        self._users.add(user)

    def descriptors(self) -> Iterator[int]:
        """See `twistdp.host.children.Owner`."""
        yield from self._own
        ours = {key for user in list(self._users) for key in _keys(user.place)}
        for fd, what in _open().items():
            if what.startswith("socket:") and not ours.isdisjoint(_ends(fd)):
                yield fd


class Reactors:
    """The descriptors that the running reactor and its loop have open for themselves."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def descriptors(self) -> Iterator[int]:
        """See `twistdp.host.children.Owner`."""
        loop: Any = bridge.loop_of(self._reactor)
        for name in ("_selector", "_ssock", "_csock"):
            what = getattr(loop, name, None)
            if what is not None:
                yield what.fileno()
        for waker in getattr(self._reactor, "_internalReaders", ()):
            yield from (fd for name in "io" if isinstance(fd := getattr(waker, name, None), int))


def _open() -> dict[int, str]:
    """What each open descriptor leads to, such as ``socket:[4711]``."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # closed meanwhile, like that of the listing
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


def _ends(fd: int) -> set[object]:
    """The keys of both ends of a socket."""
    keys: set[object] = set()
    with suppress(OSError), socket.socket(fileno=os.dup(fd)) as found:
        if found.family == socket.AF_UNIX:
            for name in (found.getsockname, found.getpeername):
                with suppress(OSError):
                    keys |= _keys(name())
    return keys


def _keys(path: str | bytes) -> set[object]:
    """A path, and its file's identity: a socket may have several names."""
    keys: set[object] = {path} if path else set()
    with suppress(OSError, ValueError):
        found = os.stat(path)
        keys.add((found.st_dev, found.st_ino))
    return keys


GRPC = Grpc()
keep_from_children(GRPC)
