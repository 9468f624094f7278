"""Tests for twistdp.rpc.unixlistener."""

import os
import socket
import stat
from typing import Any

from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.protocols.wire import Echo
from twisted.trial.unittest import TestCase

from tests.support.helpers import failure_of, soon, temporary_directory
from twistdp.errors import SocketTaken, Untrusted
from twistdp.rpc.socketfile import SocketFile
from twistdp.rpc.unixlistener import UnixListener

ECHO = Factory.forProtocol(Echo)


class UnixListenerTests(TestCase):
    """A socket that a Twisted factory serves."""

    def setUp(self) -> None:
        """Choose its path."""
        self.directory = temporary_directory(self)
        self.path = os.path.join(self.directory, "a.sock")

    def listener(self, clock: Any = reactor) -> UnixListener:
        """One that is closed in the end."""
        listener = UnixListener(self.path, clock)
        self.addCleanup(listener.close)
        return listener

    async def test_serves(self) -> None:
        """It appears with mode 0600, serves, and leaves nothing."""
        listener = self.listener()
        listener.open(ECHO)
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.path)
        await soon(listener.close())
        self.assertEqual(os.listdir(self.directory), [])

    async def test_taken(self) -> None:
        """A live one stays; the other one leaves nothing, and comes when it has gone."""
        first, second = self.listener(), self.listener()
        first.open(ECHO)
        self.assertRaises(SocketTaken, second.open, ECHO)
        await soon(first.close())
        second.open(ECHO)
        self.assertTrue(os.path.exists(self.path))

    async def test_something_else(self) -> None:
        """What is no socket of ours stays, and nothing is left beside it."""
        with open(self.path, "w", encoding="ascii"):
            pass
        listener = self.listener()
        self.assertRaises(SocketTaken, listener.open, ECHO)
        await soon(listener.close())
        self.assertEqual(os.listdir(self.directory), ["a.sock"])

    def test_others_may_write(self) -> None:
        """Nothing is made where others could replace it."""
        os.chmod(self.directory, 0o777)
        self.assertRaises(Untrusted, self.listener().open, ECHO)
        self.assertEqual(os.listdir(self.directory), [])

    async def test_cannot_listen(self) -> None:
        """The system's error is raised, and nothing is left."""

        class Full:
            """A reactor without a descriptor left."""

            def listenUNIX(self, path: str, *_: Any, **__: Any) -> None:
                """Fail."""
                raise CannotListenError(None, path, OSError(24, "Too many open files"))

        error = await failure_of(self.opened(self.listener(Full())), OSError)
        self.assertEqual(error.errno, 24)
        self.assertEqual(os.listdir(self.directory), [])

    async def opened(self, listener: UnixListener) -> None:
        """Open it."""
        listener.open(ECHO)

    def test_closed_twice(self) -> None:
        """Closing one that is not open does nothing; a stranger's name stays."""
        other = SocketFile(self.path)
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(other.claim())
            other.publish()
            listener = self.listener()
            self.successResultOf(listener.close())
            self.successResultOf(listener.close())
            self.assertTrue(other.is_published())
        other.withdraw()
        other.release()
