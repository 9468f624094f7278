"""Lets root look into the running process: ``--manhole``."""

import os
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ITransport
from twisted.logger import Logger
from twisted.python import usage

from twistdp.errors import TwistdpError
from twistdp.host import keep_from_children, make_directory
from twistdp.rpc import UnixListener
from twistdp.settings import RUN_DIRECTORY

_log = Logger()


class ManholeOptions(usage.Options):
    """The option of the manhole."""

    def __init__(self) -> None:
        super().__init__()
        self.manhole: str | None = None
        """The path of its socket; None for no manhole."""

    def opt_manhole(self, path: str) -> None:
        """Unix socket with a Python prompt inside the process, for root; off by default."""
        if not os.path.isabs(path):
            raise usage.UsageError(
                f"--manhole {path}: give an absolute path, since the plugin may start in any "
                "directory"
            )
        found = os.path.abspath(path)
        if os.path.dirname(found) == RUN_DIRECTORY and found.endswith(".sock"):
            raise usage.UsageError(
                f"--manhole {path}: 'twistdp status' takes a name there that ends in .sock for "
                "a plugin's; leave .sock out"
            )
        self.manhole = found


class Manhole(Service):
    """A Python prompt in this process for each who connects to the unix socket `path`.

    Its names are those of `names`, which is called for each connection.  Nothing of a prompt is
    imported before the service starts.
    """

    def __init__(self, path: str, names: Callable[[], Mapping[str, Any]], reactor: Any) -> None:
        self._path = path
        self._names = names
        self._listener = UnixListener(path, reactor)
        self._prompts: set[ITransport] = set()
        keep_from_children(self)

    def descriptors(self) -> Iterator[int]:
        """See `twistdp.host.children.Owner`."""
        for transport in self._prompts:
            connection: Any = transport
            yield connection.fileno()

    def startService(self) -> None:
        """Listen; if that cannot be done, the reason is logged."""
        from twistdp.launch.prompt import PromptFactory

        super().startService()
        try:
            make_directory(os.path.dirname(self._path))
            self._listener.open(PromptFactory(self._names, self._opened, self._closed))
        except (OSError, TwistdpError) as error:
            _log.error(
                "no manhole on {path}: {reason}; give another --manhole",
                path=self._path,
                reason=str(error),
            )
        else:
            _log.warn(
                "a manhole is open on {path}: a user who connects can do whatever this process can",
                path=self._path,
            )

    def stopService(self) -> Deferred[None]:
        """End all prompts, and stop listening."""
        super().stopService()
        for transport in tuple(self._prompts):
            transport.loseConnection()
        return self._listener.close()

    def _opened(self, transport: Any) -> None:
        self._prompts.add(transport)
        pid, uid = _peer(transport.socket)
        _log.warn("process {pid} of user {uid} is in the manhole", pid=pid, uid=uid)

    def _closed(self, transport: Any) -> None:
        self._prompts.discard(transport)


def _peer(connection: socket.socket) -> tuple[int, int]:
    """The process and the user at the other end."""
    size = struct.calcsize("3i")
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    pid, uid, _ = struct.unpack("3i", found)
    return pid, uid
