"""Listens on a unix socket for something else than gRPC."""

from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from twistdp.host import keep_from_children
from twistdp.rpc.socketfile import SocketFile
from twistdp.tools import hushed, quietly, stop_all


class UnixListener:
    """The socket `path`, made like every `SocketFile`, on which a Twisted factory serves."""

    def __init__(self, path: str, reactor: Any) -> None:
        self._file = SocketFile(path)
        self._reactor = reactor
        self._port: IListeningPort | None = None
        self._closing = DeferredLock()
        keep_from_children(self)

    def descriptors(self) -> Iterator[int]:
        """See `twistdp.host.children.Owner`."""
        if self._port is not None:
            port: Any = self._port
            yield port.fileno()

    def open(self, factory: IProtocolFactory) -> None:
        """Listen, mode 0600.

        Raises `SocketTaken` and `Untrusted` as `SocketFile` does, and OSError.
        """
        bound = self._file.claim()
        try:
            port = quietly(self._reactor.listenUNIX, bound, factory, mode=0o600)
            self._port = hushed(port)
            self._file.publish()
        except CannotListenError as error:
            self.close()
            reason = error.socketError
            raise reason if isinstance(reason, OSError) else OSError(str(reason)) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> Deferred[None]:
        """Listen no more; connections go on.  Fires when nothing is left on disk."""
        stop_all("a listener", self._file.withdraw)
        return self._closing.run(lambda: Deferred.fromCoroutine(self._end()))

    async def _end(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            stopped: Any = port.stopListening()
            if stopped is not None:
                await stopped
        stop_all("a listener", self._file.release)
