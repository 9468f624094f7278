"""Tests for twistdp.rpc.address: sockets in directories of any name."""

import os

from google.protobuf.wrappers_pb2 import StringValue
from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.support.helpers import soon, temporary_directory
from tests.support.servers import channel_to, server_of
from twistdp.errors import PeerUnavailable
from twistdp.rpc.address import Peer, address
from twistdp.rpc.calls import Method

ASK = "/test.Service/Ask"


class AddressTests(TestCase):
    """Tests for `address` and `Peer`, with a server and a client."""

    async def test_every_byte(self) -> None:
        """A directory's name may have every byte that file systems take."""
        for byte in sorted({*range(1, 256)} - {ord("/")}):
            name = os.fsdecode(bytes([ord("x"), byte, ord("5")]))
            path = os.path.join(temporary_directory(self), name, "a.sock")
            os.mkdir(os.path.dirname(path))
            server = server_of(self, path, Method(ASK, StringValue, succeed))
            await soon(server.listen())
            channel = channel_to(self, path)
            answer = await soon(channel.unary(ASK, StringValue(value="you"), StringValue))
            self.assertEqual(answer.value, "you", name)
            await soon(channel.close())
            await soon(server.stopService())
            self.assertEqual(os.listdir(os.path.dirname(path)), [], name)

    async def test_nobody_there(self) -> None:
        """A missing socket is PeerUnavailable, whatever its directory's name."""
        for name in ("a,b", "a#b"):
            path = os.path.join(temporary_directory(self), name, "a.sock")
            call = channel_to(self, path).unary(ASK, StringValue(), StringValue)
            await self.assertFailure(soon(call), PeerUnavailable)


class PeerTests(SynchronousTestCase):
    """Tests for `Peer` alone."""

    def test_usual(self) -> None:
        """An ordinary path is the address itself, and need not exist."""
        path = "/var/lib/kubelet/device-plugins/a.example_b-1.sock"
        self.assertEqual(Peer(path).address, f"unix:{path}")
        self.assertEqual(address(path), f"unix:{path}")

    def test_let_go(self) -> None:
        """The descriptor is closed, once."""
        path = os.path.join(temporary_directory(self), "a,b")
        with open(path, "w", encoding="ascii"):
            before = os.listdir("/proc/self/fd")
            peer = Peer(path)
            self.assertTrue(os.path.samefile(peer.address.removeprefix("unix:"), path))
            peer.close()
            peer.close()
            self.assertEqual(os.listdir("/proc/self/fd"), before)
