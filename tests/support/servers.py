"""Servers and clients that end with the test."""

from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import soon, temporary_directory
from twistdp.rpc.calls import Method
from twistdp.rpc.channel import Channel
from twistdp.rpc.server import Server


def server_of(case: SynchronousTestCase, path: str, *methods: Method, **options: Any) -> Server:
    """A server, not yet listening, that is stopped after the test."""
    options.setdefault("grace", 0.01)
    server = Server(path, methods, reactor=reactor, **options)
    case.addCleanup(server.stopService)
    return server


def channel_to(case: SynchronousTestCase, path: str, **options: Any) -> Channel:
    """A client of `path` that is closed after the test."""
    channel = Channel(path, reactor=reactor, **options)
    case.addCleanup(channel.close)
    return channel


async def served(case: SynchronousTestCase, *methods: Method, **options: Any) -> Channel:
    """A client of a server that offers `methods`."""
    path = f"{temporary_directory(case)}/a.sock"
    await soon(server_of(case, path, *methods).listen())
    return channel_to(case, path, **options)
