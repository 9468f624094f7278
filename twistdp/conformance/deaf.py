"""A client that asks for lists and accepts none, with the minimum of HTTP/2 for that.

gRPC's own clients cannot do that: even if they do not read a stream, their window of 64 KiB lets
the server send many lists of a few hundred bytes.  Here the window is 0 from the beginning and
stays so (RFC 9113, 6.9.2), like that of a process that is stopped while many lists come.
"""

import struct
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from twistdp.kubelet import LIST_AND_WATCH

DATA, HEADERS, RESET, SETTINGS, PING = 0, 1, 3, 4, 6
END, ACK, WHOLE = 1, 1, 4
"""Flags of a stream's last frame, of an acknowledgement, and of a complete header block."""

INITIAL_WINDOW = 4
"""The setting's number."""

_HEADERS = {
    b":method": b"POST",
    b":scheme": b"http",
    b":path": LIST_AND_WATCH.encode(),
    b":authority": b"localhost",
    b"te": b"trailers",
    b"content-type": b"application/grpc",
}


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    """A frame."""
    return struct.pack(">I", len(content))[1:] + struct.pack(">BBI", kind, flags, stream) + content


def _literal(text: bytes) -> bytes:
    """A text of at most 126 bytes without compression (RFC 7541, 5.2)."""
    return bytes([len(text)]) + text


_REQUEST = b"".join(
    (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW, 0)),
        frame(
            *(HEADERS, WHOLE, 1),
            b"".join(b"\0" + _literal(name) + _literal(value) for name, value in _HEADERS.items()),
        ),
        frame(DATA, END, 1, bytes(5)),  # an Empty in gRPC's framing
    )
)


class DeafStream(Protocol):
    """A ListAndWatch stream that accepts no byte of a list; `ended` once it is over.

    `answered` fires when the plugin has sent the headers of its answer, or has ended the stream.
    """

    def __init__(self) -> None:
        self.answered: Deferred[None] = Deferred()
        self.ended = False
        self._buffer = b""

    def connectionMade(self) -> None:
        """Send the request."""
        self._transport().write(_REQUEST)

    def dataReceived(self, data: bytes) -> None:
        """Acknowledge settings and pings, which keep the connection alive."""
        self._buffer += data
        while len(self._buffer) >= 9:
            end = 9 + int.from_bytes(self._buffer[:3], "big")
            if len(self._buffer) < end:
                break
            kind, flags = self._buffer[3:5]
            self._take(kind, flags, self._buffer[9:end])
            self._buffer = self._buffer[end:]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Mark the stream as ended."""
        self._over()

    def close(self) -> None:
        """Abort the connection."""
        if self.transport is not None:
            self._transport().abortConnection()

    def _transport(self) -> Any:
        return self.transport

    def _take(self, kind: int, flags: int, content: bytes) -> None:
        if kind in (SETTINGS, PING) and not flags & ACK:
            self._transport().write(frame(kind, ACK, 0, content if kind == PING else b""))
        elif kind == RESET or (kind == HEADERS and flags & END):
            self._over()
        elif kind == HEADERS and not self.answered.called:
            self.answered.callback(None)

    def _over(self) -> None:
        self.ended = True
        if not self.answered.called:
            self.answered.callback(None)


def open_deaf(path: str, reactor: Any) -> Deferred[DeafStream]:
    """Connect to the socket `path`.  If nobody listens, the stream has `ended`."""
    stream = DeafStream()

    def refused(failure: Failure) -> DeafStream:
        failure.trap(ConnectError)
        stream.connectionLost(failure)
        return stream

    connected: Deferred[DeafStream] = connectProtocol(UNIXClientEndpoint(reactor, path), stream)
    return connected.addErrback(refused)
