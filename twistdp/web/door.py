"""Lets connections in, and loads what answers them when the first one asks something.

A plugin that nobody looks at pays neither memory nor time of its start for it.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistdp.tools import Worker

if TYPE_CHECKING:
    from twistdp.web.site import Bounded

_log = Logger()

MOST_CONNECTIONS: Final = 256
"""Connections of one listener at a time; beyond that an idle one is closed for the next."""


class Waiting(Protocol):
    """A connection that waits until what answers it is loaded.

    Loading begins with the first bytes of a peer: another plugin only looks whether somebody
    listens.  What a peer sends after them stays in the kernel meanwhile.
    """

    def __init__(self, door: "Door", address: IAddress | None) -> None:
        self._door = door
        self._address = address
        self._received = b""

    def connectionMade(self) -> None:
        """Wait."""
        self._door.waiting[self] = None

    def dataReceived(self, data: bytes) -> None:
        """Have what answers loaded."""
        assert self.transport is not None
        self.transport.pauseProducing()  # type: ignore[attr-defined]  # both kinds of sockets can
        self._received += data
        self._door.load()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Stop waiting."""
        self._door.waiting.pop(self, None)

    def go_on(self, factory: "Bounded") -> None:
        """Hand the connection over to what answers."""
        transport: Any = self.transport
        real = factory.buildProtocol(self._address)
        if real is None:
            transport.abortConnection()
        else:
            transport.protocol = real
            real.makeConnection(transport)
            transport.resumeProducing()
            if self._received:
                real.dataReceived(self._received)

    def abort(self) -> None:
        """Close it."""
        transport: Any = self.transport
        transport.abortConnection()


class Door(Factory):
    """Lets connections in to what `load` returns, which is called in a thread, and once."""

    noisy = False

    def __init__(self, load: "Callable[[], Bounded]", worker: Worker) -> None:
        self._load = load
        self._worker = worker
        self._loading = False
        self._loaded: Bounded | None = None
        self._failed_with: str | None = None
        """Why the last attempt failed."""
        self.waiting: dict[Waiting, None] = {}
        """Connections that came before it was loaded."""

    def transports(self) -> Iterator[Any]:
        """The connections that are open."""
        yield from (each.transport for each in self.waiting)
        if self._loaded is not None:
            yield from (each.transport for each in self._loaded.connections)

    def load(self) -> None:
        """Begin to load, unless that has begun."""
        if not self._loading:
            self._loading = True
            self._worker.call(self._load).addCallbacks(self._open, self._failed)

    def close(self) -> None:
        """Close all connections that came in."""
        for waiting in list(self.waiting):
            waiting.abort()
        if self._loaded is not None:
            self._loaded.abort()

    def _open(self, loaded: "Bounded") -> None:
        self._loaded = loaded
        waiting, self.waiting = self.waiting, {}
        for each in waiting:
            each.go_on(loaded)

    def _failed(self, failure: Failure) -> None:
        self._loading = False
        reason = failure.getErrorMessage()
        if reason != self._failed_with:  # a probe tries again every ten seconds
            _log.failure("loading what answers over HTTP", failure)
        self._failed_with = reason
        for waiting in list(self.waiting):
            waiting.abort()

    def buildProtocol(self, address: IAddress | None) -> Protocol | None:
        """Let a connection in, or let it wait until what answers is loaded."""
        if self._loaded is not None:
            protocol: Protocol | None = self._loaded.buildProtocol(address)
            return protocol
        if len(self.waiting) >= MOST_CONNECTIONS:
            longest = next(iter(self.waiting))  # perhaps it never says a word
            del self.waiting[longest]
            longest.abort()
        return Waiting(self, address)
