"""gRPC on Twisted: the only package that knows grpc or asyncio.

Servers are Twisted services whose handlers return a value, a Deferred or a coroutine; calls of
a `Channel` return Deferreds.  No grpc type, asyncio type or Future leaves the package; errors
are those of `twistdp.errors` and cancellation is Twisted's.
"""

from twistdp.rpc.bridge import require_asyncio_reactor
from twistdp.rpc.channel import Channel, Stream
from twistdp.rpc.server import Method, Server

__all__ = ["Channel", "Method", "Server", "Stream", "require_asyncio_reactor"]
