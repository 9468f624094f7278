"""Limits of what a peer can make a server hold, lower than gRPC's own.

Only root can connect.  These limits keep a peer with a bug, or one that is root in a container,
from taking the node's memory or the process's descriptors.
"""

from typing import Any, Final

from twistdp.errors import NoRoom

MOST_CALLS: Final = 128
"""Calls at a time in one connection; a kubelet has one stream, and a call for each pod that
starts.  Further calls wait at the kubelet."""

MOST_CONNECTIONS: Final = 128
"""Connections at a time to one socket; a kubelet has one or two, conformance tests have 65."""

HEADERS: Final = 8192
"""Bytes of all headers of a call; a kubelet sends 200."""

IDLE: Final = 900.0
"""Seconds after which a connection without any call, such as an open stream, is closed.

gRPC wakes up this often for each connection, also for one with a stream.  With 200 resources and
30 s, that was half of all that an idle process did (0.13 s of CPU a minute instead of 0.06).
"""

HANDSHAKE: Final = 5.0
"""Seconds in which a connection must begin to speak HTTP/2; a kubelet does so at once."""

LONG: Final = 16_384
"""Bytes from which a request or answer is long; a usual one has some hundred."""

MOST_UNREAD: Final = 32 * 1024 * 1024
"""Bytes of all long requests of one server that are not answered, and answers that are not read."""

OPTIONS: Final = (
    ("grpc.max_concurrent_streams", MOST_CALLS),
    ("grpc.max_allowed_incoming_connections", MOST_CONNECTIONS),
    ("grpc.max_metadata_size", HEADERS),
    ("grpc.absolute_max_metadata_size", HEADERS),
    ("grpc.max_connection_idle_ms", int(IDLE * 1000)),
    ("grpc.server_handshake_timeout_ms", int(HANDSHAKE * 1000)),
)
"""These limits, as options of gRPC."""


class Unread:
    """Counts the bytes of long requests and answers of calls that are not done yet."""

    def __init__(self) -> None:
        self._bytes = 0

    def check(self, size: int) -> None:
        """Raise `NoRoom` for a request or an answer of `size` bytes if it is too much."""
        if size > LONG and self._bytes > MOST_UNREAD:
            raise NoRoom(
                f"{self._bytes} bytes of requests and answers wait; until those are answered and "
                f"read, no call of more than {LONG} bytes is answered"
            )

    def hold(self, message: bytes, context: Any) -> None:
        """Count a message until the call with gRPC's `context` is done; raises `NoRoom`."""
        size = len(message)
        if size > LONG:
            self.check(size)
            self._bytes += size
            context.add_done_callback(lambda _: self._release(size))

    def _release(self, size: int) -> None:
        self._bytes -= size
