"""Tests for twistdp.health.network, with real servers of every bad kind."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import PATIENCE
from twistdp.health.network import of_http, of_tcp
from twistdp.health.values import Http, Tcp


def ok(connection: socket.socket) -> None:
    """Answer as a server should."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


class NetworkTestCase(SynchronousTestCase):
    """A server whose manners a test chooses."""

    def serve(self, handle: Callable[[socket.socket], object]) -> int:
        """Have each connection handled in a thread; returns the port."""
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        self.requests: list[bytes] = []

        def handled(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                handle(connection)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=handled, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        self.addCleanup(server.shutdown, socket.SHUT_RDWR)
        port: int = server.getsockname()[1]
        return port


class TcpTests(NetworkTestCase):
    """`of_tcp`"""

    def test_open(self) -> None:
        """A connection that can be opened is good, by name and by address."""
        port = self.serve(lambda connection: None)
        self.assertEqual(of_tcp(Tcp(f"127.0.0.1:{port}", timeout=PATIENCE)), "")
        self.assertEqual(of_tcp(Tcp(f"localhost:{port}", timeout=PATIENCE)), "")

    def test_refused(self) -> None:
        """Nobody listens, or there is no such host."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        address = f"127.0.0.1:{port}"
        self.assertEqual(
            of_tcp(Tcp(address, timeout=PATIENCE)),
            f"cannot connect to {address}: Connection refused",
        )
        self.assertIn(
            f"cannot connect to [::1]:{port}: ", of_tcp(Tcp(f"[::1]:{port}", timeout=PATIENCE))
        )

    def test_full(self) -> None:
        """A server whose queue is full does not answer."""
        server = socket.socket()
        self.addCleanup(server.close)
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address = f"127.0.0.1:{server.getsockname()[1]}"
        waiting = []
        for _ in range(4):
            connection = socket.socket()
            self.addCleanup(connection.close)
            connection.setblocking(False)
            connection.connect_ex(server.getsockname())
            waiting.append(connection)
        began = time.monotonic()
        self.assertEqual(
            of_tcp(Tcp(address, timeout=0.5)), f"nothing answered at {address} within 0.5 s"
        )
        self.assertLess(time.monotonic() - began, 10.0)


class HttpTests(NetworkTestCase):
    """`of_http`"""

    def answer(self, data: bytes, path: str = "/", status: int = 200) -> str:
        """The outcome when a server answers with these bytes and closes; the port is P."""

        def handle(connection: socket.socket) -> None:
            self.requests.append(connection.recv(4096))
            connection.sendall(data)

        port = self.serve(handle)
        found = of_http(Http(f"http://127.0.0.1:{port}{path}", status=status, timeout=PATIENCE))
        return found.replace(str(port), "P")

    def test_status(self) -> None:
        """The status decides, and nothing else of the answer."""
        name = "http://127.0.0.1:P/"
        for data, expected in (
            (b"HTTP/1.1 200 OK\r\n\r\n", ""),
            (b"HTTP/1.0 200\r\n", ""),
            (b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n", ""),
            (
                b"HTTP/1.1 503 Busy\r\n\r\n",
                f"{name} answered with status 503, and must answer with 200",
            ),
            (
                b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
                f"{name} answered with status 302, and must answer with 200",
            ),
            (b"", f"{name} did not answer as HTTP does"),
            (b"SSH-2.0-OpenSSH\r\n", f"{name} did not answer as HTTP does"),
            (b"HTTP/1.1 2000 OK\r\n", f"{name} did not answer as HTTP does"),
            (b"HTTP/1.1 twohundred\r\n", f"{name} did not answer as HTTP does"),
        ):
            self.assertEqual(self.answer(data), expected, data)

    def test_request(self) -> None:
        """Path and query are asked for, encoded; no word of a template makes another header."""
        self.answer(b"HTTP/1.1 200 OK\r\n", "/a b/\u00e9?q=1&r=a b")
        head, *headers = self.requests[0].decode().split("\r\n")
        self.assertEqual(head, "GET /a%20b/%C3%A9?q=1&r=a%20b HTTP/1.1")
        self.assertEqual(
            [header.partition(":")[0] for header in headers if header],
            ["Host", "User-Agent", "Accept", "Connection"],
        )

    def test_secrets(self) -> None:
        """A reason has neither the user nor the query."""
        found = of_http(Http("http://me:secret@127.0.0.1:1/x?token=secret", timeout=PATIENCE))
        self.assertEqual(found, "cannot ask http://127.0.0.1:1/x: Connection refused")

    def test_slow(self) -> None:
        """The limit holds for all of it: no answer, one byte at a time, an endless line."""

        def silent(connection: socket.socket) -> None:
            while connection.recv(4096):
                pass

        def drip(connection: socket.socket) -> None:
            while True:
                connection.sendall(b"H")
                time.sleep(0.05)

        for handle in (silent, drip):
            port = self.serve(handle)
            began = time.monotonic()
            self.assertEqual(
                of_http(Http(f"http://127.0.0.1:{port}", timeout=0.5)),
                f"http://127.0.0.1:{port} did not answer within 0.5 s",
            )
            self.assertLess(time.monotonic() - began, 10.0)

    def test_endless(self) -> None:
        """An endless body is not read, and an endless line only to a bound."""

        def body(connection: socket.socket) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.sendall(b"x" * 65536)

        def line(connection: socket.socket) -> None:
            while True:
                connection.sendall(b"x" * 65536)

        self.assertEqual(
            of_http(Http(f"http://127.0.0.1:{self.serve(body)}", timeout=PATIENCE)), ""
        )
        found = of_http(Http(f"http://127.0.0.1:{self.serve(line)}", timeout=PATIENCE))
        self.assertTrue(found.endswith("did not answer as HTTP does"), found)

    def test_tls(self) -> None:
        """A server without TLS is a reason, not an error."""
        found = of_http(Http(f"https://127.0.0.1:{self.serve(ok)}", timeout=PATIENCE))
        self.assertTrue(found.startswith("cannot ask https://127.0.0.1:"), found)
