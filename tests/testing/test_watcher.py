"""The emulated kubelet finds plugins in its registry as a real one does."""

import os
import shutil
import tempfile
from typing import Any
from urllib.parse import quote

from twisted.internet import reactor
from twisted.internet.defer import TimeoutError
from twisted.trial.unittest import TestCase

from tests.support.kubelets import PatientKubelet
from tests.support.plugins import UNIMPLEMENTED, ThrowAwayPlugin
from twistdp.kubelet.api import GET_INFO, NOTIFY_STATUS
from twistdp.kubelet.pluginregistration_v1_pb2 import (
    InfoRequest,
    PluginInfo,
    RegistrationStatus,
    RegistrationStatusResponse,
)
from twistdp.rpc.calls import Method
from twistdp.rpc.channel import Channel
from twistdp.rpc.server import Server
from twistdp.rpc.socketfile import SocketFile
from twistdp.testing import registry

RESOURCE = "contract.example.com/widget"


class Registree(ThrowAwayPlugin):
    """A throw-away plugin behind a socket in the registry.

    That socket serves only GetInfo and NotifyRegistrationStatus, unless `endpoint` is empty: then
    it serves everything.
    """

    def __init__(self, registry_dir: str, private: str, endpoint: str = "") -> None:
        super().__init__(private, RESOURCE, "api.sock", reactor)
        self.path = os.path.join(registry_dir, "widget.sock")
        self.info = PluginInfo(
            type="DevicePlugin", name=RESOURCE, endpoint=endpoint, supported_versions=["v1beta1"]
        )
        self.statuses: list[RegistrationStatus] = []
        methods = [
            Method(GET_INFO, InfoRequest, self._get_info),
            Method(NOTIFY_STATUS, RegistrationStatus, self._notified),
        ]
        if not endpoint:
            methods += self.methods
        self.door = Server(SocketFile(self.path, private), methods, reactor=reactor)

    def _get_info(self, _: InfoRequest) -> PluginInfo:
        self.log.record("info")
        return self.info

    def _notified(self, status: RegistrationStatus) -> RegistrationStatusResponse:
        self.statuses.append(status)
        self.log.record("registered" if status.plugin_registered else "refused")
        return RegistrationStatusResponse()


class RegistryTests(TestCase):
    """Sockets in the registry directory."""

    def setUp(self) -> None:
        """A kubelet and a plugin, neither of them running."""
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.registry = os.path.join(self.directory, "r")
        self.patch(registry, "RETRY_FIRST", 0.01)
        self.patch(registry, "RETRY_MOST", 0.01)
        self.kubelet = PatientKubelet(self.directory, registry_dir=self.registry)
        self.addCleanup(self.kubelet.stop)

    def plugin(self, endpoint: str = "") -> Registree:
        """A plugin that is ended with the test."""
        plugin = Registree(self.registry, self.directory, endpoint)
        self.addCleanup(plugin.stop)
        self.addCleanup(plugin.door.stopService)
        return plugin

    async def registered(self) -> Registree:
        """A plugin that was found and is listed."""
        await self.kubelet.start()
        plugin = self.plugin()
        await plugin.door.listen()
        await plugin.log.seen("registered")
        await self.kubelet.listed(RESOURCE, ["a", "b"])
        return plugin

    async def test_finds_a_new_socket(self) -> None:
        """It calls GetInfo, opens the stream, and reports the result last."""
        plugin = await self.registered()
        self.assertEqual(plugin.log.events[:2], ["info", "options"])
        (status,) = plugin.statuses
        self.assertEqual((status.plugin_registered, status.error), (True, ""))
        (registration,) = self.kubelet.registrations
        self.assertEqual(registration.endpoint, plugin.path)

    async def test_finds_what_is_there_at_its_start(self) -> None:
        """A socket that is older than the kubelet is found too."""
        os.mkdir(self.registry)
        plugin = self.plugin()
        await plugin.door.listen()
        await self.kubelet.start()
        await self.kubelet.listed(RESOURCE, ["a", "b"])

    async def test_ends_when_a_registration_does(self) -> None:
        """A kubelet that ends while it refuses a plugin does not try again afterwards."""
        await self.kubelet.start()
        plugin = self.plugin()
        plugin.info.type = "Gadget"
        await plugin.door.listen()
        ended = self.kubelet.until(lambda: self.kubelet.registrations)
        # At once, in the middle of what the registry does.
        await ended.addCallback(lambda _: self.kubelet.stop())
        await plugin.log.seen("refused")
        asked = plugin.log.events.count("info")
        await self.assertFailure(plugin.log.seen("info", asked + 1, timeout=0.1), TimeoutError)

    async def test_another_endpoint(self) -> None:
        """The device plugin API may be on a socket elsewhere."""
        await self.kubelet.start()
        plugin = self.plugin(os.path.join(self.directory, "api.sock"))
        await plugin.serve()
        await plugin.door.listen()
        await self.kubelet.listed(RESOURCE, ["a", "b"])

    async def test_authorities(self) -> None:
        """The first connection's :authority is the percent-encoded path, the second's localhost."""
        seen: list[tuple[str, str]] = []
        made = Channel

        def channel(path: str, **options: Any) -> Any:
            seen.append((path, options["authority"]))
            return made(path, **options)

        self.patch(registry, "Channel", channel)
        plugin = await self.registered()
        self.assertEqual(seen, [(plugin.path, quote(plugin.path, safe=""))])
        self.assertTrue(seen[0][1].startswith("%2F"))

    async def test_refuses(self) -> None:
        """A wrong name, version or type, or failing options, are reported and tried again."""
        await self.kubelet.start()
        plugin = self.plugin()
        good = plugin.info
        for text, change in (
            ("no handler registered for plugin type: Gadget", {"type": "Gadget"}),
            ('the ResourceName "widget" is invalid', {"name": "widget"}),
            (
                "v1beta1, is not among plugin supported versions [v1]",
                {"supported_versions": ["v1"]},
            ),
        ):
            plugin.info = PluginInfo(
                **{  # type: ignore[arg-type]  # of several types
                    "type": good.type,
                    "name": good.name,
                    "supported_versions": good.supported_versions,
                    **change,
                }
            )
            count = plugin.log.events.count("refused")
            await plugin.door.listen()
            await plugin.log.seen("refused", count + 2)
            self.assertIn(text, plugin.statuses[-1].error)
        plugin.info = good
        plugin.options = UNIMPLEMENTED
        await plugin.log.seen("options")
        await plugin.log.seen("refused", plugin.log.events.count("refused") + 1)
        self.assertIn("registration failed with err: not here", plugin.statuses[-1].error)
        self.assertEqual(self.kubelet.capacity(RESOURCE), 0)
        plugin.options = type(self.plugin().options)()
        await self.kubelet.listed(RESOURCE, ["a", "b"])

    async def test_removing_the_socket_deregisters(self) -> None:
        """A plugin without its socket is dropped."""
        plugin = await self.registered()
        plugin.door.withdraw()
        await self.kubelet.until(lambda: self.kubelet.allocatable(RESOURCE) == 0)
        await plugin.log.seen("cancelled")

    async def test_never_redials(self) -> None:
        """A stream that the plugin ends is opened again only for a new socket."""
        plugin = await self.registered()
        plugin.latest.close()
        await self.kubelet.until(lambda: self.kubelet.allocatable(RESOURCE) == 0)
        plugin.latest.closed = False
        await self.assertFailure(plugin.log.seen("info", 2, timeout=0.2), TimeoutError)
        plugin.door.withdraw()
        await plugin.door.listen()
        await self.kubelet.listed(RESOURCE, ["a", "b"])

    async def test_restart(self) -> None:
        """A restart deletes no socket there and registers everything again."""
        plugin = await self.registered()
        before = os.lstat(plugin.path)
        await self.kubelet.restart()
        await plugin.log.seen("registered", 2)
        await self.kubelet.listed(RESOURCE, ["a", "b"])
        self.assertTrue(os.path.samestat(before, os.lstat(plugin.path)))

    async def test_what_is_no_plugin(self) -> None:
        """Plain files and hidden sockets are ignored; a dead socket is tried until it goes."""
        lines: list[str] = []
        self.kubelet._observe = lines.append
        await self.kubelet.start()
        with open(os.path.join(self.registry, "file.sock"), "w", encoding="ascii"):
            pass
        hidden = Server(os.path.join(self.registry, ".x.sock"), [], reactor=reactor)
        self.addCleanup(hidden.stopService)
        await hidden.listen()
        dead = Server(os.path.join(self.registry, "dead.sock"), [], reactor=reactor)
        await dead.listen()
        await self.kubelet.until(lambda: any("dead.sock cannot be registered" in x for x in lines))
        await dead.stopService()
        await self.kubelet.until(lambda: any("dead.sock was removed" in x for x in lines))
        self.assertEqual(self.kubelet.registrations, [])
