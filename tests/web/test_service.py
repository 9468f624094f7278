"""Tests of listening, and of what is refused at the door."""

import os
import socket
import stat
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.support.helpers import soon, temporary_directory, until
from tests.support.http import Reply, Wire, ask, connect, taken_apart
from twistdp.web import channel, site
from twistdp.web.answers import Answer, text
from twistdp.web.channel import LONGEST_BODY
from twistdp.web.door import MOST_CONNECTIONS
from twistdp.web.service import Web

LARGE = b"x" * 3_000_000


async def raw(endpoint: str, request: bytes) -> Reply:
    """The answer to what ends the connection."""
    wire = await connect(endpoint)
    wire.send(request)
    await soon(wire.ended)
    return taken_apart(wire.received)


class Echo:
    """Answers with the path."""

    def __init__(self) -> None:
        self.stopped = False

    def answer(self, request: Any) -> Answer | None:
        """The path, or what it asks for."""
        path = request.path.decode()
        if path == "/large":
            return Answer(LARGE)
        if path == "/broken":
            raise ValueError(path)
        return text(path)

    def stop(self) -> None:
        """Note it."""
        self.stopped = True


class WebCase(TestCase):
    """A place for a socket."""

    def setUp(self) -> None:
        """Make it."""
        self.directory = temporary_directory(self)
        self.base = os.path.join(self.directory, "lab.example.com")
        self.echo = Echo()
        self.made = 0
        self.services: list[Web] = []

    def make(self) -> Echo:
        """What answers."""
        self.made += 1
        return self.echo

    def web(self, **options: Any) -> Web:
        """A running service."""
        web = Web(self.make, reactor, **options)
        web.startService()
        self.services.append(web)
        self.addCleanup(lambda: web.running and web.stopService())
        return web

    async def tcp(self, **options: Any) -> str:
        """The client's endpoint of a service on a free port."""
        web = self.web(endpoints=["tcp:0:interface=127.0.0.1"], **options)
        await until(lambda: web._ports)
        port: Any = web._ports[-1]
        return f"tcp:127.0.0.1:{port.getHost().port}"

    def connections(self) -> list[Any]:
        """The connections that all services have."""
        loaded = [door._loaded for web in self.services for door in web._doors]
        return [each for site in loaded if site is not None for each in site.connections]

    def unix(self, name: str = "lab.example.com.sock") -> str:
        """The endpoint of a socket in the directory."""
        return f"unix:{os.path.join(self.directory, name)}"


class UnixTests(WebCase):
    """The socket for root."""

    async def test_socket(self) -> None:
        """It is the owner's alone, answers, and is gone after the stop with all else."""
        web = self.web(socket=self.base)
        await until(lambda: web.path)
        self.assertEqual(web.path, f"{self.base}.sock")
        mode = os.stat(f"{self.base}.sock").st_mode
        self.assertEqual((stat.S_ISSOCK(mode), mode & 0o777), (True, 0o600))
        self.assertEqual(self.made, 0)
        reply = await ask(self.unix(), "/hello", host="anything")
        self.assertEqual((reply.status, reply.body, self.made), (200, b"/hello", 1))
        await soon(web.stopService())
        self.assertEqual(os.listdir(self.directory), [])
        self.assertTrue(self.echo.stopped)

    async def test_names(self) -> None:
        """A browser may get here over a forwarded port, and gets nothing for another site."""
        self.web(socket=self.base, hosts=["lab.example.com"])
        for host in ("a", "a:80", "localhost:9102", "127.0.0.1", "lab.example.com"):
            self.assertEqual((await ask(self.unix(), "/", host=host)).status, 200, host)
        for host in ("evil.example:9102", "evil."):
            self.assertEqual((await ask(self.unix(), "/", host=host)).status, 421, host)
        old = await raw(self.unix(), b"GET /old HTTP/1.0\r\n\r\n")
        self.assertEqual((old.status, old.body), (200, b"/old"))

    async def test_taken(self) -> None:
        """A second plugin gets the next name, and a dead one's name is taken over."""
        first = self.web(socket=self.base)
        second = self.web(socket=self.base)
        await until(lambda: second.path)
        self.assertEqual(second.path, f"{self.base}-2.sock")
        self.assertEqual((await ask(self.unix("lab.example.com-2.sock"), "/b")).body, b"/b")
        await soon(first.stopService())
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(f"{self.base}.sock")
        third = self.web(socket=self.base)
        await until(lambda: third.path)
        self.assertEqual(third.path, f"{self.base}.sock")
        self.assertEqual((await ask(self.unix(), "/c")).body, b"/c")

    async def test_in_the_way(self) -> None:
        """A file that is not a plugin's keeps its name, and the plugin takes the next one."""
        with open(f"{self.base}.sock", "w"):
            pass
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(f"{self.base}-2.sock")
            other.listen()
            web = self.web(socket=self.base)
            await until(lambda: web.path)
            self.assertEqual(web.path, f"{self.base}-3.sock")
            self.assertEqual((await ask(self.unix("lab.example.com-3.sock"), "/b")).body, b"/b")
            await soon(web.stopService())
        self.assertEqual(
            sorted(os.listdir(self.directory)), ["lab.example.com-2.sock", "lab.example.com.sock"]
        )

    async def test_nowhere(self) -> None:
        """A place where no socket can be made costs nothing but the socket."""
        blocked = os.path.join(self.directory, "file")
        with open(blocked, "w"):
            pass
        web = self.web(socket=os.path.join(blocked, "x"))
        self.assertIsNone(web.path)

    async def test_stop_before_it_is_loaded(self) -> None:
        """A connection that waits is closed."""
        web = self.web(socket=self.base)
        wire = await connect(self.unix())
        await soon(web.stopService())
        await soon(wire.ended)
        self.assertEqual(os.listdir(self.directory), [])


class TcpTests(WebCase):
    """An endpoint that was asked for."""

    async def test_names(self) -> None:
        """Only this host's names may be asked for: a page of another site gets nothing."""
        endpoint = await self.tcp(hosts=["lab.example.com"])
        for host in ("127.0.0.1:9102", "[::1]:9102", "localhost", "LAB.example.com.:80"):
            self.assertEqual((await ask(endpoint, "/", host=host)).status, 200, host)
        evil = ("evil.example", "evil.example:9102", "127.0.0.1.evil.example", "[::1].evil.example")
        for host in (*evil, "localhost:1@evil.example", "localhost:x", "::1", "[lab]", ""):
            self.assertEqual((await ask(endpoint, "/", host=host)).status, 421, host)
        request = b"GET / HTTP/1.1\r\n%sConnection: close\r\n\r\n"
        for lines in (b"", b"Host: evil.example\r\nHost: localhost\r\n"):
            self.assertEqual((await raw(endpoint, request % lines)).status, 421, lines)

    async def test_targets(self) -> None:
        """A target may be a whole URL, whose host counts, and a star is nothing special."""
        endpoint = await self.tcp()
        reply = await ask(endpoint, "HTTP://localhost:9102/a?b", host="evil.example")
        self.assertEqual((reply.status, reply.body), (200, b"/a"))
        self.assertEqual((await ask(endpoint, "http://localhost")).body, b"/")
        reply = await ask(endpoint, "http://evil.example/a")
        self.assertEqual((reply.status, reply.headers["server"]), (421, "twistdp"))
        self.assertEqual((await ask(endpoint, "ftp://localhost/a")).body, b"ftp://localhost/a")
        reply = await ask(endpoint, "*", method="OPTIONS")
        self.assertEqual((reply.status, reply.headers["server"]), (405, "twistdp"))
        self.assertEqual((await ask(endpoint, "localhost:1", method="CONNECT")).status, 405)

    async def test_phrase(self) -> None:
        """Each status has its name."""
        wire = await connect(await self.tcp())
        wire.send(b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        await soon(wire.ended)
        self.assertTrue(wire.received.startswith(b"HTTP/1.1 421 Misdirected Request\r\n"))

    async def test_headers(self) -> None:
        """Every answer forbids scripts from elsewhere, frames and caches."""
        endpoint = await self.tcp()
        for path in ("/x", "/broken"):
            headers = (await ask(endpoint, path)).headers
            self.assertIn("default-src 'none'", headers["content-security-policy"])
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertEqual(headers["cache-control"], "no-store")
            self.assertEqual(headers["server"], "twistdp")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    async def test_methods(self) -> None:
        """GET and HEAD, and nothing else."""
        endpoint = await self.tcp()
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"):
            reply = await ask(endpoint, "/x", method=method)
            self.assertEqual((reply.status, reply.headers["allow"]), (405, "GET, HEAD"), method)
        reply = await ask(endpoint, "/large", method="HEAD")
        self.assertEqual(
            (reply.status, reply.headers["content-length"], reply.body),
            (200, str(len(LARGE)), b""),
        )

    async def test_bodies(self) -> None:
        """A small body is dropped, an endless one ends the connection."""
        self.patch(site, "IDLE", 3600.0)  # what ends it is not its slowness
        self.patch(channel, "SLOWEST", 3600.0)
        endpoint = await self.tcp()
        wire = await connect(endpoint)
        wire.send(
            b"GET /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
            b"Connection: close\r\n\r\nabc"
        )
        await soon(wire.ended)
        self.assertEqual(taken_apart(wire.received).body, b"/x")
        wire = await connect(endpoint)
        wire.send(b"GET /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        wire.send(b"10000\r\n" + b"y" * 0x10000 + b"\r\n" + b"1\r\nz\r\n")
        await soon(wire.ended)
        self.assertEqual(wire.received, b"")
        self.assertEqual(LONGEST_BODY, 0x10000)

    async def test_faults_that_repeat(self) -> None:
        """A request that fails does not fill the log when it is repeated."""
        endpoint = await self.tcp()
        for _ in range(10):
            self.assertEqual((await ask(endpoint, "/broken")).status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 6)

    async def test_headers_that_are_no_text(self) -> None:
        """Bytes in them that are not UTF-8 are replaced, and reading them raises no error."""
        endpoint = await self.tcp()
        self.patch(self.echo, "answer", lambda request: text(request.getHeader("x") or ""))
        reply = await raw(
            endpoint, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: \xffy\r\nConnection: close\r\n\r\n"
        )
        self.assertEqual((reply.status, reply.body), (200, "\ufffdy".encode()))
        for target, host in ((b"/", b"localhost\xff"), (b"http://localhost\x80/", b"localhost")):
            request = b"GET %b HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n"
            reply = await raw(endpoint, request % (target, host))
            self.assertEqual(reply.status, 421)

    async def test_too_many(self) -> None:
        """Peers that only stay keep nobody out, and those that wait for answers are kept."""
        endpoint = await self.tcp()
        self.assertEqual((await ask(endpoint, "/x")).status, 200)
        idle = [await connect(endpoint) for _ in range(MOST_CONNECTIONS)]
        self.assertEqual((await ask(endpoint, "/y")).body, b"/y")
        await soon(idle[0].ended)
        self.assertEqual([wire.over for wire in idle].count(True), 1)
        for wire in idle:
            wire.close()
            await soon(wire.ended)
        self.patch(self.echo, "answer", lambda request: Deferred())
        busy = [await connect(endpoint) for _ in range(MOST_CONNECTIONS)]
        for wire in busy:
            wire.send(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda: all(each.is_busy for each in self.connections()))
        late = await connect(endpoint)
        await soon(late.ended)
        for wire in busy:
            wire.close()
            await soon(wire.ended)
        await until(lambda: not self.connections())

    async def test_a_large_answer(self) -> None:
        """It arrives whole."""
        endpoint = await self.tcp()
        self.assertEqual((await ask(endpoint, "/large")).body, LARGE)

    async def test_an_endpoint_that_cannot_be(self) -> None:
        """It is logged, and the other one works."""
        endpoint = await self.tcp(socket=self.base)
        taken = int(endpoint.rpartition(":")[2])
        web = self.web(endpoints=[f"tcp:{taken}:interface=127.0.0.1"])
        await until(lambda: web.running)
        self.assertEqual((await ask(endpoint, "/x")).status, 200)


class HalfTests(WebCase):
    """Peers that send no more, and wait for the answer."""

    def setUp(self) -> None:
        """Answers come later."""
        super().setUp()
        self.answers: list[Deferred[Answer]] = []
        self.cancelled: list[Deferred[Answer]] = []
        self.patch(self.echo, "answer", self.later)

    def later(self, request: Any) -> Deferred[Answer]:
        """An answer to come."""
        self.answers.append(Deferred(self.cancelled.append))
        return self.answers[-1]

    async def begin(self, endpoint: str, close: str) -> Wire:
        """Ask two things, begin with a third, and close the connection before any answer."""
        asked = len(self.answers)
        wire = await connect(endpoint)
        wire.send(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2 + b"GET /half")
        await until(lambda: len(self.answers) > asked)
        transport: Any = wire.transport
        getattr(transport, close)()
        return wire

    async def test_answered(self) -> None:
        """Such peers get the answer to each whole request, and the connection ends."""
        for endpoint in (await self.tcp(socket=self.base), self.unix()):
            wire = await self.begin(endpoint, "loseWriteConnection")
            await until(lambda: any(each._is_last for each in self.connections()))
            self.answers[-1].callback(Answer(LARGE))
            await until(lambda: not self.answers[-1].called)
            self.answers[-1].callback(text("second"))
            await soon(wire.ended)
            self.assertEqual(wire.received.count(b"HTTP/1.1 200"), 2, endpoint)
            self.assertTrue(wire.received.endswith(b"second"))
            self.assertGreater(len(wire.received), len(LARGE))
            await until(lambda: not self.connections())

    async def test_gone(self) -> None:
        """A peer that does not read either waits for nothing."""
        await self.tcp(socket=self.base)
        await self.begin(self.unix(), "abortConnection")
        await until(lambda: not self.connections())
        self.assertEqual((len(self.answers), self.cancelled), (1, self.answers))

    async def test_idle(self) -> None:
        """Before a whole request there is nothing to wait for."""
        endpoint = await self.tcp()
        for sent in (b"", b"GET / HTTP/1.1\r\n"):
            wire = await connect(endpoint)
            wire.send(sent)
            transport: Any = wire.transport
            transport.loseWriteConnection()
            await soon(wire.ended)
        self.assertEqual(self.answers, [])


class LoadingTests(WebCase):
    """What answers is loaded at the first request."""

    async def test_many_wait(self) -> None:
        """All that came meanwhile are answered."""
        self.web(socket=self.base)
        wires = [await connect(self.unix()) for _ in range(10)]
        for wire in wires:
            wire.send(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        for wire in wires:
            await soon(wire.ended)
            self.assertEqual(taken_apart(wire.received).body, b"/x")
        self.assertEqual(self.made, 1)

    async def test_gone_meanwhile(self) -> None:
        """A peer that does not wait costs nothing."""
        web = self.web(socket=self.base)
        wire = await connect(self.unix())
        wire.close()
        done: Deferred[None] = wire.ended
        await soon(done)
        self.assertEqual((await ask(self.unix(), "/y")).body, b"/y")
        await soon(web.stopService())


class ChildrenTests(WebCase):
    """What a child that a scanner forks must not have."""

    async def test_descriptors(self) -> None:
        """The ports, the connections that wait, and those that were let in."""
        web = self.web(socket=self.base)
        await until(lambda: web.path)
        self.assertEqual(len(set(web.descriptors())), 1)
        wire = await connect(self.unix())
        await until(lambda: len(set(web.descriptors())) == 2)
        wire.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: b"/x" in wire.received)
        self.assertEqual(len({fd for fd in web.descriptors() if fd >= 0}), 2)
        wire.close()
        await until(lambda: len(set(web.descriptors())) == 1)
