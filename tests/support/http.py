"""A small HTTP client that shows what is on the wire."""

from collections.abc import Iterator
from typing import Any

import attrs
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone

from tests.support.helpers import soon


class Wire(Protocol):
    """One connection: all that came, and when it ended."""

    def __init__(self) -> None:
        self.received = b""
        self.ended: Deferred[None] = Deferred()
        self.over = False

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self.received += data

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """The server has closed it."""
        self.over = True
        self.ended.callback(None)

    def send(self, data: bytes) -> None:
        """Write."""
        assert self.transport is not None
        self.transport.write(data)

    def close(self) -> None:
        """Go away."""
        transport: Any = self.transport
        transport.abortConnection()


@attrs.frozen
class Reply:
    """An answer, taken apart."""

    status: int
    headers: dict[str, str]
    body: bytes


async def connect(endpoint: str) -> Wire:
    """A connection to an endpoint, as ``unix:/path`` or ``tcp:127.0.0.1:PORT``."""
    client: Any = clientFromString(reactor, endpoint)
    wire = Wire()
    await soon(connectProtocol(client, wire))
    return wire


async def ask(
    endpoint: str, path: str, *, method: str = "GET", host: str = "localhost", **headers: str
) -> Reply:
    """Make one request on a connection of its own."""
    wire = await connect(endpoint)
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    wire.send("\r\n".join([*lines, "", ""]).encode())
    await soon(wire.ended)
    return taken_apart(wire.received)


def taken_apart(data: bytes) -> Reply:
    """An answer on the wire as a value."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    headers = {name.lower(): value for name, _, value in pairs}
    if headers.get("transfer-encoding") == "chunked":
        body = b"".join(_chunks(body))
    return Reply(int(first.split()[1]), headers, body)


def _chunks(data: bytes) -> Iterator[bytes]:
    """The parts of a body that ended well."""
    while True:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return
        yield data[:length]
        data = data[length:].removeprefix(b"\r\n")
