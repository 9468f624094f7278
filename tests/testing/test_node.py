"""Tests for twistdp.testing.node."""

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.support.plugins import device_list
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import DevicePluginOptions
from twistdp.testing import endpoint, node


class HeldChannel:
    """A connection whose stream's messages arrive when the test says so."""

    arrived: "Deferred[Any]"

    def __init__(self, path: str, **_: Any) -> None:
        HeldChannel.arrived = Deferred()

    def unary(self, *_: Any) -> "Deferred[DevicePluginOptions]":
        """The plugin's options."""
        return succeed(DevicePluginOptions())

    def stream(self, *_: Any) -> "HeldChannel":
        """The only stream."""
        return self

    async def __aiter__(self) -> AsyncIterator[Any]:
        """One message."""
        yield await self.arrived

    def cancel(self) -> None:
        """Too late: the message has been read."""

    def close(self) -> None:
        """As for the stream."""


class NodeResourceTests(SynchronousTestCase):
    """A resource whose plugin's messages are on their way."""

    def setUp(self) -> None:
        """Connected."""
        self.patch(endpoint, "Channel", HeldChannel)
        self.taken: list[object] = []
        self.resource = node.NodeResource("a.example.com/b", self, Clock())
        self.successResultOf(Deferred.fromCoroutine(self.resource.connect("/none")))

    def list_taken(self, *_: Any) -> None:
        """See `node.ResourceObserver`."""
        self.taken.append(None)

    def say(self, line: str) -> None:
        """See `node.ResourceObserver`."""

    def test_a_list(self) -> None:
        """The list is accepted and reported to the kubelet."""
        HeldChannel.arrived.callback(device_list("a"))
        self.assertEqual((self.resource.lists, len(self.taken)), (1, 1))

    def test_a_list_after_the_end(self) -> None:
        """A list that arrives after the kubelet's end writes no file."""
        self.resource.disconnect_all()
        HeldChannel.arrived.callback(device_list("a"))
        self.assertEqual((self.resource.lists, len(self.taken)), (0, 0))
