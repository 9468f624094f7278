"""Lends connections to the kubelet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from twistdp.kubelet.presence import check_kubelet, socket_identity
from twistdp.rpc import Channel
from twistdp.tools import Turns

AT_ONCE = 16
"""Borrowers at the same time.  Of hundreds, each would wait for all others."""


class Connection:
    """A connection to the kubelet's socket that had the identity `socket`."""

    def __init__(self, channel: Channel, socket: object) -> None:
        self.channel = channel
        self.socket = socket
        self.users = 0


class Connections:
    """Connections to the kubelet's socket `path`.

    Those who borrow at the same time share one: when a kubelet starts again, hundreds of resources
    register, and a connection for each is a quarter of what that costs.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._turns = Turns(AT_ONCE)
        self._shared: Connection | None = None

    @asynccontextmanager
    async def borrowed(self, reactor: Any, *, alone: bool = False) -> AsyncIterator[Channel]:
        """Wait for a turn, and lend a channel for the block; raises as `check_kubelet` does.

        With `alone`, nobody shares it.
        """
        async with self._turns:
            connection = self._new(reactor) if alone else self._current(reactor)
            connection.users += 1
            try:
                yield connection.channel
            except BaseException:
                # A channel remembers a refused connect, and would connect to another kubelet.
                self._retire(connection)
                raise
            finally:
                connection.users -= 1
                if not connection.users:
                    self._retire(connection)
                    await connection.channel.close()

    def _current(self, reactor: Any) -> Connection:
        """The shared connection, or a new one if there is none to this very socket."""
        if self._shared is None or self._shared.socket != socket_identity(self.path):
            self._shared = self._new(reactor)
        return self._shared

    def _new(self, reactor: Any) -> Connection:
        socket = socket_identity(self.path)
        check_kubelet(self.path)
        return Connection(Channel(self.path, reactor=reactor), socket)

    def _retire(self, connection: Connection) -> None:
        """Lend it to nobody else."""
        if self._shared is connection:
            self._shared = None
