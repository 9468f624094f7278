"""Tests of where HTTP is listened for, of what fails there, and of what the log has of it."""

import os
import select
import socket
import stat
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, formatEvent
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.test_life import ToldScanner
from tests.support.helpers import soon, until
from tests.support.http import ask, connect
from tests.support.logs import observe
from tests.web.test_service import WebCase
from twistdp import DeviceTree
from twistdp.manager import Manager
from twistdp.settings import Settings
from twistdp.tools import Worker
from twistdp.web import service
from twistdp.web.answers import Answer
from twistdp.web.door import MOST_CONNECTIONS, Door
from twistdp.web.lookout import Lookout
from twistdp.web.options import WebOptions, web_service
from twistdp.web.service import MOST_NAMES, Web


class ListeningCase(WebCase):
    """A place for a socket, and the log."""

    def setUp(self) -> None:
        """Keep what is logged."""
        super().setUp()
        self.events: list[dict[str, Any]] = []
        observe(self, self.events.append)

    def logged(self, part: str) -> int:
        """How many lines that are shown have this text."""
        return sum(
            event["log_level"] > LogLevel.debug and part in formatEvent(event)
            for event in self.events
        )


class EndpointTests(ListeningCase):
    """The endpoints that were asked for."""

    async def test_a_port_that_becomes_free(self) -> None:
        """A port that another process has is taken when that has ended, and logged once."""
        self.patch(service, "PAUSE", 0.01)
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            web = self.web(endpoints=[f"tcp:{port}:interface=127.0.0.1"])
            await until(lambda: len(web._retries) == 1 and self.logged("cannot listen"))
            tried = web._retries.copy()
            await until(lambda: web._retries != tried)
        await until(lambda: web._ports)
        self.assertEqual((await ask(f"tcp:127.0.0.1:{port}", "/x")).body, b"/x")
        self.assertEqual(self.logged("cannot listen for HTTP"), 1)
        self.assertEqual(self.logged(": Address already in use; give another --http"), 1)
        self.assertEqual(self.logged("HTTP on tcp:"), 2)

    async def test_a_directory_that_is_made(self) -> None:
        """A path in a directory that is missing is taken when that is there, and logged once."""
        self.patch(service, "PAUSE", 0.01)
        directory = os.path.join(self.directory, "later")
        web = self.web(endpoints=[f"unix:{directory}/a.sock"])
        await until(lambda: len(web._retries) == 1 and self.logged("cannot listen"))
        tried = web._retries.copy()
        await until(lambda: web._retries != tried)
        os.mkdir(directory)
        await until(lambda: web._ports)
        self.assertEqual((await ask(f"unix:{directory}/a.sock", "/x")).body, b"/x")
        self.assertEqual(self.logged(": No such file or directory; give another --http"), 1)

    async def test_a_port_that_does_not(self) -> None:
        """The end of the service ends the attempts."""
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            web = self.web(endpoints=[f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"])
            await until(lambda: web._retries)
            await soon(web.stopService())
        self.assertEqual(web._retries, {})

    async def test_modes(self) -> None:
        """A unix socket is its owner's, unless its mode says otherwise."""
        paths = [os.path.join(self.directory, name) for name in ("a.sock", "b.sock", "c.sock")]
        kinds = [f"unix:{paths[0]}", f"unix:{paths[1]}:mode=660", f"haproxy:unix:{paths[2]}"]
        web = self.web(endpoints=kinds)
        await until(lambda: len(web._ports) == 3)
        modes = [stat.S_IMODE(os.stat(path).st_mode) for path in paths]
        self.assertEqual(modes, [0o600, 0o660, 0o600])
        self.assertEqual((await ask(f"unix:{paths[0]}", "/x", host="any")).status, 200)

    async def test_directory_of_others(self) -> None:
        """Nothing is made where others could put a link in the socket's place, until it is safe."""
        self.patch(service, "PAUSE", 0.01)
        directory = os.path.join(self.directory, "shared")
        os.mkdir(directory)
        os.chmod(directory, 0o777)
        kinds = f"unix:{directory}/a.sock", f"haproxy:unix:{directory}/b.sock"
        web = self.web(endpoints=kinds)
        await until(lambda: len(web._retries) == 2)
        tried = web._retries.copy()
        await until(lambda: not web._retries.items() & tried.items())
        self.assertEqual(os.listdir(directory), [])
        self.assertEqual(self.logged(f"others may write in {directory} "), 2)
        os.chmod(directory, 0o755)
        await until(lambda: len(web._ports) == 2)
        self.assertEqual((await ask(f"unix:{directory}/a.sock", "/x")).body, b"/x")

    async def test_quiet(self) -> None:
        """Of ports there is our own line, not Twisted's two for each."""
        web = self.web(socket=self.base, endpoints=["tcp:0:interface=127.0.0.1"])
        await until(lambda: web.path and web._ports)
        await soon(web.stopService())
        self.assertEqual(self.logged("HTTP on tcp:0"), 1)
        self.assertEqual((self.logged("starting on"), self.logged("Closed")), (0, 0))
        told = [formatEvent(event) for event in self.events]
        self.assertEqual(sum("starting on" in text for text in told), 2, told)
        self.assertEqual(sum("Closed" in text for text in told), 2, told)

    async def test_again(self) -> None:
        """A service that was stopped can start again."""
        web = self.web(socket=self.base)
        self.assertEqual((await ask(self.unix(), "/x")).body, b"/x")
        await soon(web.stopService())
        web.startService()
        self.assertEqual((await ask(self.unix(), "/y")).body, b"/y")
        self.assertEqual(self.made, 2)


class StopTests(ListeningCase):
    """The end of the service while requests run."""

    async def test_large_answers(self) -> None:
        """Answers that are on their way end, and nothing is left."""

        def endless(request: Any) -> Answer:
            return Answer(b"", pieces=iter(lambda: b"x" * 1000, b""))

        self.patch(self.echo, "answer", endless)
        web = self.web(socket=self.base)
        wires = [await connect(self.unix()) for _ in range(5)]
        for wire in wires:
            wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        for wire in wires:
            await until(lambda wire=wire: len(wire.received) > 100_000)  # type: ignore[misc]
        await soon(web.stopService())
        for wire in wires:
            await soon(wire.ended)
        self.assertEqual(os.listdir(self.directory), [])


class ManyTests(ListeningCase):
    """Far more connections than are allowed."""

    async def test_thousand(self) -> None:
        """Most are closed, before and after it is loaded; then the others are answered again."""
        web = self.web(socket=self.base)
        await until(lambda: web.path)
        (door,) = web._doors
        for _ in range(2):
            peers = [socket.socket(socket.AF_UNIX) for _ in range(1000)]
            try:
                for number, peer in enumerate(peers):
                    peer.setblocking(False)
                    # The backlog has fifty places.
                    await until(lambda peer=peer: not peer.connect_ex(f"{self.base}.sock"))  # type: ignore[misc]
                    if number < 10:
                        peer.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
                await until(lambda: door._loaded is not None)
                self.assertLessEqual(len([*door.transports()]), MOST_CONNECTIONS)
                await until(lambda: [*door.transports()])
            finally:
                for peer in peers:
                    peer.close()
            await until(lambda: not [*door.transports()])
            self.assertEqual((await ask(self.unix(), "/y")).body, b"/y")


class FailingTests(ListeningCase):
    """What answers cannot be loaded."""

    async def test_loading_fails(self) -> None:
        """Each connection is closed, the reason is logged once, and it is tried again."""
        failures = ["no memory", "no memory", "no room"]
        site = object()

        def load() -> Any:
            if failures:
                raise MemoryError(failures.pop(0))
            return site

        door = Door(load, self.worker())
        for _ in range(3):
            ended: Deferred[None] = Deferred()
            waiting: Any = door.buildProtocol(None)
            waiting.makeConnection(Transport(ended))
            waiting.dataReceived(b"GET ")
            await soon(ended)
            waiting.connectionLost()
        self.assertEqual(len(self.flushLoggedErrors(MemoryError)), 2)
        door.load()
        await until(lambda: door._loaded is site)

    async def test_too_many_wait(self) -> None:
        """No more connections wait than are let in: the oldest one is closed for the next.

        Nothing is loaded for those that ask nothing.
        """
        door = Door(lambda: self.fail("it is loaded"), self.worker())
        peers: list[Deferred[None]] = [Deferred() for _ in range(MOST_CONNECTIONS + 2)]
        for peer in peers:
            waiting: Any = door.buildProtocol(None)
            waiting.makeConnection(Transport(peer))
        self.assertEqual([peer.called for peer in peers[:4]], [True, True, False, False])
        self.assertEqual(len(door.waiting), MOST_CONNECTIONS)

    async def test_asks_late(self) -> None:
        """A look whether somebody listens loads nothing; a request in parts is answered whole."""
        web = self.web(socket=self.base)
        await until(lambda: web.path)
        (door,) = web._doors
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(f"{self.base}.sock")
            await until(lambda: door.waiting)
        await until(lambda: not door.waiting)
        self.assertFalse(door._loading)
        with socket.socket(socket.AF_UNIX) as peer:
            peer.setblocking(False)
            peer.connect(f"{self.base}.sock")
            peer.send(b"GET /x HT")
            await until(lambda: door._loaded is not None)
            peer.send(b"TP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            await until(lambda: select.select([peer], [], [], 0)[0])
            self.assertTrue(peer.recv(100).startswith(b"HTTP/1.1 200 "))

    async def test_making_fails(self) -> None:
        """Where the answers cannot be made, the peer learns so, and the next one tries again."""

        def fail() -> Any:
            raise ValueError("no state")

        web = Web(fail, reactor, socket=self.base)
        web.startService()
        self.addCleanup(web.stopService)
        for _ in range(2):
            self.assertEqual((await ask(self.unix(), "/x")).status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)

    def worker(self) -> Worker:
        """A thread that ends with the test."""
        worker = Worker("test", reactor)
        self.addCleanup(worker.stop)
        return worker


class Transport:
    """A connection that can be closed."""

    def __init__(self, ended: "Deferred[None]") -> None:
        self._ended = ended

    def pauseProducing(self) -> None:
        """See ITransport."""

    def abortConnection(self) -> None:
        """See ITCPTransport."""
        if not self._ended.called:
            self._ended.callback(None)


class OptionTests(SynchronousTestCase):
    """The command line."""

    def test_endpoints(self) -> None:
        """What is no endpoint is refused at once, with the reason."""
        options = WebOptions()
        for text in ("tcp", "tcp:x", "carrier-pigeon:9102", "", "tcp:9102:colour=red",
                     "systemd:domain=INET:name=http", "systemd:domain=INET:index=0"):  # fmt: skip
            with self.assertRaises(usage.UsageError) as caught:
                options.opt_http(text)
            self.assertIn(f"--http {text}: ", str(caught.exception))
            self.assertIn("tcp:9102:interface=127.0.0.1", str(caught.exception))
        for text, reason in (
            ("9102", "there is no kind of endpoint '9102'"),
            ("tcp:port", "a number is wrong"),
            ("tcp:65536", "ports are numbers from 0 to 65535"),
            ("tcp6:interface=\\:\\:1:port=-1", "ports are numbers from 0 to 65535"),
            ("haproxy:tcp:65536", "ports are numbers from 0 to 65535"),
            (
                "tcp6:9102:interface=::1",
                "an argument of tcp6 is unknown, given twice or missing (write a colon in an "
                "address as \\:)",
            ),
            ("systemd:domain=INET", "Specify exactly one of descriptor index or name"),
            ("haproxy:pigeon:1", "there is no kind of endpoint 'pigeon'"),
            ("stdio:", "nobody can connect to standard input"),
            ("haproxy:unix:", "the path of the unix socket is missing"),
            (f"haproxy:unix:/{'x' * 107}", "the path of a unix socket has at most 107 bytes"),
            (f"unix:/{'x' * 107}", "the path of a unix socket has at most 107 bytes"),
            ("tcp:host=127.0.0.1:port=9102", "an argument of tcp is unknown, given twice or mis"),
            ("unix", "an argument of unix is unknown, given twice or missing"),
            ("systemd:domain=INET:name=http", "systemd has given this process no such socket"),
        ):
            with self.assertRaises(usage.UsageError) as caught:
                options.opt_http(text)
            self.assertIn(f"--http {text}: {reason}", str(caught.exception))
        good = (
            "tcp:0",
            "tcp:65535",
            "unix:/x.sock",
            "tcp6:9102:interface=\\:\\:1",
            "haproxy:tcp:1",
        )
        for text in good:
            options.opt_http(text)
        self.assertEqual(options.http, [*good])

    def test_socket(self) -> None:
        """A path is refused if it is too long for a socket, or `twistdp status` would miss it."""
        options = WebOptions()
        longest = "/" + "x" * 101 + ".sock"
        options.parseOptions([f"--status-socket={longest}"])
        self.assertEqual(options.status_socket, longest)
        for path, why in ((f"/x{longest}", "longer than the 107 bytes"), ("/x", "ends in .sock")):
            arguments = [f"--status-socket={path}"]
            error = self.assertRaises(usage.UsageError, WebOptions().parseOptions, arguments)
            self.assertIn(why, str(error))

    def test_long_domain(self) -> None:
        """The usual name is cut where it would be too long, so that it can be asked there."""
        for domain in ("lab.example.com", ".".join(["x" * 60] * 4)):
            manager = Manager(domain, ToldScanner(DeviceTree()))
            options = WebOptions()
            options.parseOptions([])
            lookout = Lookout(lambda: [(manager, "x")], Settings(), Clock())  # noqa: B023
            web = web_service(options, lookout, dict, Clock())
            assert web is not None and web._socket is not None
            self.assertLessEqual(len(f"{web._socket}-{MOST_NAMES}.sock"), 107)
            self.assertTrue(web._socket.startswith(f"/run/twistdp/{domain[:70]}"))
