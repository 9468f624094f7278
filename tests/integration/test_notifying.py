"""``twistd deviceplugin`` as a real process that a service manager has started."""

import os
import signal
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorUNIXDatagram
from twisted.internet.protocol import DatagramProtocol

from tests.integration.test_process import FOLDER, ProcessTestCase
from tests.support.helpers import soon


class Manager(DatagramProtocol):
    """A service manager's socket."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._awaited: list[tuple[str, Deferred[None]]] = []

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Keep it."""
        self.lines += datagram.decode().split("\n")
        for awaited in list(self._awaited):
            if awaited[0] in self.lines:
                self._awaited.remove(awaited)
                awaited[1].callback(None)

    def told(self, line: str) -> Deferred[None]:
        """Fires when this message has come."""
        fired: Deferred[None] = Deferred()
        self._awaited.append((line, fired))
        return soon(fired)


class NotifyingTests(ProcessTestCase):
    """The messages to the service manager."""

    async def test_life(self) -> None:
        """Ready without a kubelet, registered with one, signs of life, stopping."""
        manager = Manager()
        path = os.path.join(self.directory, "notify")
        port = IReactorUNIXDatagram(reactor).listenUNIXDatagram(path, manager, 8192, 0o600)
        self.addCleanup(port.stopListening)
        self.patch(os, "environ", {**os.environ, "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1000000"})
        self.make("a")
        ready = manager.told("READY=1")
        waiting = manager.told(
            f"STATUS=1 resource, 1 device, waiting for a kubelet in {self.plugins}"
        )
        child = self.folder_plugin()
        await ready
        await waiting
        self.assertNotIn("STATUS=1 resource, 1 device, registered", manager.lines)
        registered = manager.told("STATUS=1 resource, 1 device, registered")
        await self.kubelet.start()
        await registered
        await self.kubelet.listed(FOLDER, ["a"])
        manager.lines.clear()
        await manager.told("WATCHDOG=1")
        stopping = manager.told("STOPPING=1")
        child.signal("TERM")
        await stopping
        self.assertEqual(await child.ended, -signal.SIGTERM)
