"""Tests of the probes beside an emulated kubelet: they follow the session, exactly."""

import os
from typing import Any
from urllib.parse import quote

from twisted.internet import reactor

from tests.integration.test_life import YELLOW, ToldScanner, tree_of
from tests.support.helpers import replace, until
from tests.web.test_metrics import Stuck
from tests.web.test_routes import RoutesCase
from twistdp import HEALTHY, DeviceInfo, manager
from twistdp.errors import TwistdpError
from twistdp.launch.configured import read_config
from twistdp.launch.following import ConfigFile
from twistdp.resource import Resource
from twistdp.settings import Settings
from twistdp.status import Kind, events_of
from twistdp.web import dump, probes

NULL, ZERO = "x.example.com/null", "x.example.com/zero"


class ReadinessCase(RoutesCase):
    """A plugin, and what its probe says."""

    def text(self) -> bytes:
        """Return the current checks."""
        state = self.observatory.state(devices=False)
        checks = probes.checks_of(probes.READYZ, state)
        return probes.answer(probes.READYZ, checks, "", {"verbose": [""]}).body


class SessionTests(ReadinessCase):
    """The kubelet's actions show in ``/readyz`` at once, and in no other probe."""

    async def start(self) -> None:
        """A plugin that is ready."""
        await self.kubelet.start()
        await self.serve(ToldScanner(tree_of("a")))
        await self.kubelet.listed(YELLOW, ["a"])
        await until(self.is_registered)
        await self.assert_ready()

    async def assert_ready(self) -> None:
        """All probes succeed."""
        for probe in ("readyz", "healthz", "livez", f"readyz/{YELLOW}"):
            reply = await self.ask(f"/{probe}")
            self.assertEqual((reply.status, reply.body), (200, b"ok"), probe)

    async def assert_not_ready(self, reason: str) -> None:
        """The probe names the resource and the reason, and the plugin is alive."""
        reply = await self.ask("/readyz")
        self.assertEqual(reply.status, 500)
        line = f"[-]{YELLOW} failed: {reason}"
        self.assertIn(line, reply.body.decode())
        self.assertEqual((await self.ask(f"/readyz?exclude={YELLOW}")).status, 200)
        self.assertEqual((await self.ask(f"/readyz/{quote(YELLOW, safe='')}")).status, 500)
        self.assertEqual((await self.ask("/livez")).body, b"ok")

    async def recovers(self) -> None:
        """Wait until the plugin is ready again, with the session."""
        await self.kubelet.listed(YELLOW, ["a"])
        await until(self.is_registered)
        await self.assert_ready()

    def happened(self, kind: Kind) -> int:
        """Return how many of the kept events are of this kind."""
        return sum(event.kind is kind for event in events_of(reactor).kept)

    async def disconnect(self) -> None:
        """Kill the stream, and wait until the plugin has noticed."""
        ended = self.happened(Kind.STREAM_ENDED)
        self.kubelet.disconnect(YELLOW)
        await until(lambda: self.happened(Kind.STREAM_ENDED) > ended)

    async def test_streams_killed(self) -> None:
        """Without its stream a resource is not ready, also if it may not register again."""
        await self.start()
        self.kubelet.refusal = "no thanks"
        self.kubelet.disconnect(YELLOW)
        await until(lambda: not self.is_registered())
        await self.assert_not_ready("")
        await until(lambda: self.observatory.state().resources[0].session.reason)
        await self.assert_not_ready("failing: the kubelet refused: no thanks")
        self.kubelet.refusal = None
        await self.recovers()

    async def test_streams_killed_only(self) -> None:
        """The plugin registers again by itself."""
        await self.start()
        for _ in range(3):
            await self.disconnect()
            await self.recovers()

    async def test_stopped_and_restarted(self) -> None:
        """Without a kubelet it waits, and is ready with the next one."""
        await self.start()
        await self.kubelet.stop()
        await until(lambda: not self.is_registered())
        await until(lambda: self.observatory.state().resources[0].session.standing == "waiting")
        await self.assert_not_ready("no kubelet answers on")
        await self.kubelet.start()
        await self.recovers()
        await self.kubelet.restart()
        await self.recovers()

    async def test_socket_replaced(self) -> None:
        """Another socket of the same kubelet."""
        await self.start()
        registered = self.happened(Kind.REGISTERED)
        await self.kubelet.replace_socket()
        await until(lambda: self.happened(Kind.REGISTERED) > registered)
        await self.recovers()

    async def test_the_name_is_gone(self) -> None:
        """The plugin's own socket may lose its name: the stream is open, and it stays ready."""
        await self.start()
        (name,) = self.sockets()
        os.unlink(os.path.join(self.directory, name))
        await self.assert_ready()
        await until(self.sockets)
        await self.assert_ready()

    async def test_unserved(self) -> None:
        """A resource that the plugin itself fails to serve is shown, with the reason."""
        await self.start()
        real = Resource
        broken = True

        def make(name: str, *arguments: Any, **named: Any) -> Any:
            if broken and name.endswith("/blue"):
                raise TwistdpError("no bytes left")
            return real(name, *arguments, **named)

        self.patch(manager, "Resource", make)
        tree = tree_of("a")
        tree.add_device("blue", "b", DeviceInfo(HEALTHY))
        (served,) = self.observatory.served()
        scanner: Any = served[0].scanner
        scanner.tell(tree)
        reply = await self.ask("/readyz")
        self.assertEqual(reply.status, 500)
        self.assertIn("[-]color.example.com/blue failed: failing: ", reply.body.decode())
        self.assertIn("no bytes left", reply.body.decode())
        (resource,) = (await self.state("?resource=color.example.com/blue"))["resources"]
        self.assertEqual((resource["capacity"], resource["devices"]), (0, []))
        await dump._log_state(self.observatory)  # has no devices of it to look at
        self.assertEqual(len(self.flushLoggedErrors(TwistdpError)), 1)
        broken = False
        await self.kubelet.listed("color.example.com/blue", ["b"])
        await until(lambda: b"failed" not in self.text())
        await self.assert_ready()


class ScannerTests(ReadinessCase):
    """Scanners and configurations in the probes."""

    async def test_hung_from_the_start(self) -> None:
        """A scanner whose first scan hangs is not ready, and alive: a restart would not help."""
        scanner = Stuck(self.directory)
        scanner.goes_on.clear()
        self.addCleanup(scanner.goes_on.set)
        await self.kubelet.start()
        await self.serve(scanner, scan_timeout=0.05)
        await until(lambda: self.observatory.state().scanners[0].hung)
        reply = await self.ask("/readyz?verbose")
        self.assertEqual(reply.status, 500)
        self.assertIn(b"[-]scan/color.example.com failed: no scan has ended well yet", reply.body)
        self.assertEqual((await self.ask("/livez")).body, b"ok")
        scanner.goes_on.set()
        await self.kubelet.listed(YELLOW, ["a"])
        await until(self.is_registered)
        self.assertEqual((await self.ask("/readyz")).body, b"ok")

    async def test_hung_later(self) -> None:
        """A scanner that hangs later keeps its devices, so both probes are well."""
        place = os.path.join(self.directory, "bus")
        os.mkdir(place)
        scanner = Stuck(place)
        self.addCleanup(scanner.goes_on.set)
        await self.kubelet.start()
        await self.serve(scanner, scan_timeout=0.05)
        await self.kubelet.listed(YELLOW, ["a"])
        await until(self.is_registered)
        scanner.goes_on.clear()
        os.mkdir(os.path.join(place, "x"))
        await until(lambda: self.observatory.state().scanners[0].hung)
        for probe in ("livez", "readyz"):
            self.assertEqual((await self.ask(f"/{probe}")).body, b"ok")

    async def test_reloaded(self) -> None:
        """A configuration that is read again changes what is checked."""
        path = os.path.join(self.directory, "devices.yaml")

        replace(path, "domain: x.example.com\nresources: {null: /dev/null}\n")
        file = ConfigFile(path, read_config(path), Settings(plugin_dir=self.directory), reactor)
        file.startService()
        self.addCleanup(file.stopService)
        await self.kubelet.start()
        await self.serve(ToldScanner(tree_of("a")), files=[path])
        self.observatory.served = lambda: [(each, "--config x") for each in file.managers]
        await self.kubelet.listed(NULL, ["null"])
        await until(self.is_registered)
        self.assertEqual((await self.ask(f"/readyz/{NULL}")).body, b"ok")
        self.kubelet.refusal = "no thanks"
        replace(path, "domain: x.example.com\nresources: {zero: /dev/zero}\n")
        await until(lambda: b"zero failed: failing" in self.text())
        self.assertEqual((await self.ask(f"/readyz/{ZERO}")).status, 500)
        await until(lambda: NULL.encode() not in self.text())
        self.assertEqual((await self.ask(f"/readyz/{NULL}")).status, 404)
        self.kubelet.refusal = None
        await self.kubelet.listed(ZERO, ["zero"])
        await until(self.is_registered)
        self.assertEqual((await self.ask("/readyz")).body, b"ok")
        replace(path, "resources: 7\n")
        await until(lambda: self.observatory.state().configurations[0].problems)
        self.assertEqual((await self.ask("/readyz")).body, b"ok")
