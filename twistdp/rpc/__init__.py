"""gRPC on Twisted: the only package that knows grpc or asyncio.

Servers are Twisted services whose handlers return a value, a Deferred or a coroutine; calls of
a `Channel` return Deferreds.  No grpc type, asyncio type or Future leaves the package; errors
are those of `twistdp.errors` and cancellation is Twisted's.
"""

import os

# Before grpc is imported, unless the environment sets them.  gRPC's fork handlers serve processes
# that fork and go on using its objects.  Here children have none of them
# (`twistdp.host.children`), and the handlers would only write noise to stderr.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# gRPC's core writes to stderr by itself, past every logger: a line for each bad header, however
# many a peer sends.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from twistdp.rpc.bridge import Running, loop_of, require_asyncio_reactor
from twistdp.rpc.caller import caller
from twistdp.rpc.calls import EndedCall, Method
from twistdp.rpc.channel import Channel
from twistdp.rpc.clock import keep_steady
from twistdp.rpc.foreign import called
from twistdp.rpc.leftovers import remove_leftovers
from twistdp.rpc.privacy import Reactors
from twistdp.rpc.server import Server
from twistdp.rpc.socketfile import SocketFile, listener
from twistdp.rpc.stream import Stream
from twistdp.rpc.unixlistener import UnixListener

__all__ = [
    "Channel",
    "EndedCall",
    "Method",
    "Reactors",
    "Running",
    "Server",
    "SocketFile",
    "Stream",
    "UnixListener",
    "called",
    "caller",
    "keep_steady",
    "listener",
    "loop_of",
    "remove_leftovers",
    "require_asyncio_reactor",
]
