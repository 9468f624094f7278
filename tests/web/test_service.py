"""Tests of listening, and of what is refused at the door."""

import os
import socket
import stat
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.support.helpers import soon, temporary_directory, until
from tests.support.http import ask, connect, taken_apart
from twistdp.web.answers import Answer, text
from twistdp.web.door import MOST_CONNECTIONS
from twistdp.web.service import Web
from twistdp.web.site import LONGEST_BODY

LARGE = b"x" * 3_000_000


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

    def make(self) -> Echo:
        """What answers."""
        self.made += 1
        return self.echo

    def web(self, **options: Any) -> Web:
        """A running service."""
        web = Web(self.make, reactor, **options)
        web.startService()
        self.addCleanup(lambda: web.running and web.stopService())
        return web

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
        reply = await ask(self.unix(), "/hello", host="anything.example")
        self.assertEqual((reply.status, reply.body, self.made), (200, b"/hello", 1))
        await soon(web.stopService())
        self.assertEqual(os.listdir(self.directory), [])
        self.assertTrue(self.echo.stopped)

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

    async def tcp(self, **options: Any) -> str:
        """The client's endpoint of a service on a free port."""
        web = self.web(endpoints=["tcp:0:interface=127.0.0.1"], **options)
        await until(lambda: len(web._ports) > ("socket" in options))
        port: Any = web._ports[-1]
        return f"tcp:127.0.0.1:{port.getHost().port}"

    async def test_names(self) -> None:
        """Only this host's names may be asked for: a page of another site gets nothing."""
        endpoint = await self.tcp(hosts=["lab.example.com"])
        for host in ("127.0.0.1:9102", "[::1]:9102", "localhost", "LAB.example.com.:80"):
            self.assertEqual((await ask(endpoint, "/", host=host)).status, 200, host)
        for host in ("evil.example", "evil.example:9102", "127.0.0.1.evil.example", ""):
            self.assertEqual((await ask(endpoint, "/", host=host)).status, 421, host)

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

    async def test_too_many(self) -> None:
        """A connection too many is closed, and one that ends makes room."""
        endpoint = await self.tcp()
        self.assertEqual((await ask(endpoint, "/x")).status, 200)
        wires = [await connect(endpoint) for _ in range(MOST_CONNECTIONS)]
        late = await connect(endpoint)
        await soon(late.ended)
        for wire in wires:
            wire.close()
            await soon(wire.ended)

        async def answered() -> bool:
            wire = await connect(endpoint)
            wire.send(b"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            await soon(wire.ended)
            return wire.received.startswith(b"HTTP/1.1 200")

        for _ in range(50):
            if await answered():
                break
        else:
            self.fail("no room again")

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
