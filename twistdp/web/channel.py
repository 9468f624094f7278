"""One HTTP connection: what a peer may send, and how long the connection may last."""

import select
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.web.http import HTTPChannel
from twisted.web.server import Request
from zope.interface import implementer

IDLE: Final = 30.0
"""Seconds without a byte after which a connection is closed."""

SLOWEST: Final = 90.0
"""Seconds for a request to come and its answer to be read; an event stream has no such limit."""

LONGEST_BODY: Final = 65_536
"""Bytes of a body, which nobody reads, after which the connection is closed."""


class _Hushed(Logger):
    """A logger whose information is only for developers."""

    def info(self, format: str | None = None, **facts: Any) -> None:
        """Log it as a debug event."""
        self.debug(format, **facts)


_SCHEMES: Final = (b"http", b"https")


@implementer(IHalfCloseableProtocol)
class Channel(HTTPChannel):
    """One connection: closed when a request on it, or a pause between two, takes too long."""

    is_busy = False
    """Whether a whole request has come, and its answer has not been written yet."""
    _log = _Hushed("twistdp.web")  # each peer that is slow or goes away would be a line
    _deadline: IDelayedCall | None = None
    _is_endless = False
    _is_last = False

    def connectionMade(self) -> None:
        """Start the time limit."""
        super().connectionMade()
        self.factory.connections[self] = None
        self._restart_limit()

    def requestDone(self, request: Any) -> None:
        """Restart the time limit after an answer: the next request has its own."""
        self.is_busy = False
        if self in self.factory.connections:  # the newest is the last
            self.factory.connections[self] = self.factory.connections.pop(self)
        self._restart_limit()
        super().requestDone(request)
        if self._is_last and not self.is_busy:
            self.loseConnection()

    def endless(self) -> None:
        """Stop the time limit for a peer that follows a stream."""
        self._is_endless = True
        self._stop_limit()

    def readConnectionLost(self) -> None:
        """Answer a peer that sends no more, unless it is gone."""
        if self._is_endless or (self.is_busy and _is_gone(self.transport)):
            self.forceAbortClient()
        elif self.is_busy:
            self._is_last = True
        else:
            self.loseConnection()

    def writeConnectionLost(self) -> None:
        """Do nothing: we never close our half alone."""

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """Stop the time limit."""
        self._stop_limit()
        self.factory.connections.pop(self, None)
        super().connectionLost(reason)

    def _restart_limit(self) -> None:
        self._stop_limit()
        self._deadline = self.callLater(SLOWEST, self.forceAbortClient)

    def _stop_limit(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None


class Asked(Request):
    """A request, whose body nobody reads."""

    _taken = 0

    def gotLength(self, length: int | None) -> None:
        """Keep no file for the body, however long it is."""
        super().gotLength(0)

    def handleContentChunk(self, data: bytes) -> None:
        """Drop a part of the body, and close the connection when the body is too long."""
        self._taken += len(data)
        if self._taken > LONGEST_BODY:
            self.channel.forceAbortClient()

    def process(self) -> None:
        """Understand each form of a target, see RFC 9112, 3.2, and each header; answer."""
        channel: Any = self.channel
        channel.is_busy = True
        scheme, found, rest = self.path.partition(b"://")
        if found and scheme.lower() in _SCHEMES:
            host, slash, path = rest.partition(b"/")
            self.path = slash + path or b"/"
            self.requestHeaders.setRawHeaders(b"host", [host])
        elif self.path == b"*":
            self.path = b"/*"  # Twisted would answer by itself
        for name, values in list(self.requestHeaders.getAllRawHeaders()):
            # To read one as text is an error unless it is UTF-8.
            texts = [value.decode(errors="replace").encode() for value in values]
            self.requestHeaders.setRawHeaders(name, texts)
        super().process()


def _is_gone(transport: Any) -> bool:
    """Whether the peer reads no more either, as far as the kernel knows."""
    poll = select.poll()
    poll.register(transport.fileno(), 0)
    return any(what & (select.POLLHUP | select.POLLERR) for _, what in poll.poll(0))
