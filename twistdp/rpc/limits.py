"""What a peer may have of a server: gRPC's own limits are for a network of strangers with memory.

Only root can connect.  These bounds keep a peer that has gone wrong, or has come by root in a
container, from taking the node's memory or the process's descriptors.
"""

from typing import Final

MOST_CALLS: Final = 128
"""Calls at a time in one connection; a kubelet has one stream, and a call for each pod that
starts.  What is more waits at the kubelet."""

MOST_CONNECTIONS: Final = 64
"""Connections at a time to one socket; a kubelet has one or two."""

HEADERS: Final = 8192
"""Bytes that all headers of a call have at most; a kubelet's have 200."""

IDLE: Final = 30.0
"""Seconds after which a connection without any call is closed; with a stream open, it has one."""

HANDSHAKE: Final = 10.0
"""Seconds in which a connection must begin to speak HTTP/2; a kubelet does so at once."""

OPTIONS: Final = (
    ("grpc.max_concurrent_streams", MOST_CALLS),
    ("grpc.max_allowed_incoming_connections", MOST_CONNECTIONS),
    ("grpc.max_metadata_size", HEADERS),
    ("grpc.absolute_max_metadata_size", HEADERS),
    ("grpc.max_connection_idle_ms", int(IDLE * 1000)),
    ("grpc.server_handshake_timeout_ms", int(HANDSHAKE * 1000)),
)
"""The same, as gRPC takes it."""
