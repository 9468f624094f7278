"""Bytes that are not gRPC, on the socket of a resource that is really served."""

import contextlib
import os
import socket
import struct
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from tests.fuzz.served import ServedTestCase
from tests.fuzz.support import fuzzed, in_thread
from twistdp.kubelet.api import ALLOCATE, LIST_AND_WATCH

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, HEADERS, RST, PING, WINDOW = 4, 1, 3, 6, 8
TLS_HELLO = bytes.fromhex("16030100a5010000a10303") + bytes(160)


def frame(kind: int, flags: int = 0, stream: int = 0, content: bytes = b"") -> bytes:
    """An HTTP/2 frame."""
    return struct.pack(">I", len(content))[1:] + struct.pack(">BBI", kind, flags, stream) + content


def _header(name: bytes, value: bytes) -> bytes:
    """A header, literally and with short lengths (HPACK)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def call(stream: int, method: str, *, end: bool = False, timeout: bytes = b"5S") -> bytes:
    """The frame that begins a call of a method."""
    content = b"".join(
        _header(name, value)
        for name, value in (
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", method.encode()),
            (b":authority", b"localhost"),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
            (b"grpc-timeout", timeout),
        )
    )
    return frame(HEADERS, 5 if end else 4, stream, content)


def data(stream: int, message: bytes) -> bytes:
    """The frame that ends the request of a call."""
    return frame(0, 1, stream, b"\0" + struct.pack(">I", len(message)) + message)


def _streams(count: int) -> range:
    return range(1, 2 * count, 2)


START = PREFACE + frame(SETTINGS)
SILLY_SETTINGS = b"".join(
    struct.pack(">HI", key, value)
    for key, value in ((1, 2**32 - 1), (2, 7), (3, 0), (4, 2**32 - 1), (5, 1), (6, 0), (99, 9))
)
FLOODS = {
    "calls begun": START + b"".join(call(n, ALLOCATE) for n in _streams(1000)),
    "calls reset": START
    + b"".join(call(n, ALLOCATE) + frame(RST, 0, n, b"\0\0\0\x08") for n in _streams(1000)),
    "calls sent and reset": START
    + b"".join(
        call(n, ALLOCATE) + data(n, b"") + frame(RST, 0, n, b"\0\0\0\x08") for n in _streams(1000)
    ),
    "lists asked for and reset": START
    + b"".join(
        call(n, LIST_AND_WATCH) + data(n, b"") + frame(RST, 0, n, b"\0\0\0\x08")
        for n in _streams(500)
    ),
    "lists asked for": START
    + b"".join(call(n, LIST_AND_WATCH) + data(n, b"") for n in _streams(500)),
    "no such method": START + b"".join(call(n, "/x.Y/Z", end=True) for n in _streams(500)),
    "calls without a message": START + b"".join(call(n, ALLOCATE, end=True) for n in _streams(500)),
    "calls with a header that is wrong": START
    + b"".join(call(n, ALLOCATE, end=True, timeout=b"x") for n in _streams(500)),
    "pings": START + frame(PING, 0, 0, bytes(8)) * 5000,
    "settings": PREFACE + frame(SETTINGS) * 5000,
    "silly settings": PREFACE + frame(SETTINGS, 0, 0, SILLY_SETTINGS) + call(1, LIST_AND_WATCH),
    "no window": PREFACE
    + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
    + b"".join(call(n, LIST_AND_WATCH) + data(n, b"") for n in _streams(100)),
    "window of too much": START + frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 3,
    "oversized frame": START + b"\xff\xff\xff" + struct.pack(">BBI", 0, 0, 1) + bytes(100_000),
    "oversized message": START
    + call(1, ALLOCATE)
    + frame(0, 0, 1, b"\0\xff\xff\xff\xff" + bytes(10_000)),
    "headers that never end": START
    + frame(HEADERS, 0, 1, _header(b"x", b"y" * 100))
    + frame(9, 0, 1, _header(b"x", b"y" * 100) * 100) * 30,
    "compressed": START + call(1, ALLOCATE) + frame(0, 1, 1, b"\1\0\0\0\4abcd"),
    "TLS": TLS_HELLO,
    "HTTP/1": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "half a preface": PREFACE[:11],
    "nothing": b"",
    "zeros": bytes(100_000),
}
"""Bytes that a hostile or mistaken peer sends at once."""

frames = st.builds(
    frame,
    st.integers(0, 12) | st.integers(0, 255),
    st.integers(0, 255),
    st.sampled_from([0, 1, 2, 3, 5, 2**31 - 1, 2**32 - 1]),
    st.binary(max_size=60) | st.sampled_from([call(1, ALLOCATE)[9:], SILLY_SETTINGS, bytes(17000)]),
)
garbage = st.one_of(
    st.binary(max_size=300),
    st.lists(frames, max_size=8).map(lambda parts: START + b"".join(parts)),
    st.lists(frames, max_size=3).map(b"".join),
    st.integers(0, 60).map(lambda end: START[:end]),
    st.builds(
        lambda message, parts: START + call(1, ALLOCATE) + data(1, message) + b"".join(parts),
        st.binary(max_size=100),
        st.lists(frames, max_size=2),
    ),
)


@contextmanager
def standard_error() -> Iterator[list[str]]:
    """Collect what the process, gRPC's core included, writes to stderr while the block runs."""
    written: list[str] = []
    with tempfile.TemporaryFile("w+", errors="replace") as file:
        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield written
        finally:
            os.dup2(before, 2)
            os.close(before)
        file.seek(0)
        written += file.read().splitlines()


class TransportTests(ServedTestCase):
    """The server goes on, and logs next to nothing."""

    def send(self, content: bytes, *, listen: bool = True) -> None:
        """Connect, send, read a little of what comes, and go away."""
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(5.0)
            peer.connect(self.path)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                peer.sendall(content)
                if listen:
                    peer.settimeout(0.002)
                    with contextlib.suppress(TimeoutError):
                        while peer.recv(65536):
                            pass

    def check_quiet(self, written: list[str]) -> None:
        """The log is short and has no failure."""
        self.assertEqual(self.lines.failures, [])
        self.assertEqual(written, [])
        said = self.said()
        self.assertLessEqual(len(said), 1100, said[-1:])
        for line in said:
            self.assertRegex(line, "^[IW].*(refused|devices|allocated)", line)

    def test_floods(self) -> Deferred[None]:
        """Each kind of flood leaves a server that serves."""

        def run() -> None:
            with standard_error() as written:
                for content in FLOODS.values():
                    for listen in (True, False):
                        self.send(content, listen=listen)
                        self.check_serves()
            self.check_quiet(written)

        return in_thread(run)

    def test_garbage(self) -> Deferred[None]:
        """Nothing that a peer sends disturbs others."""

        @fuzzed(250, garbage)
        def check(content: bytes) -> None:
            self.send(content)

        def run() -> None:
            with standard_error() as written:
                check()
                self.check_serves()
            self.check_quiet(written)

        return in_thread(run)

    def test_silent_connections(self) -> Deferred[None]:
        """Hundreds that say nothing, or half of what they should, are closed; others are served.

        Who was there before notices nothing, and who comes when they have gone is served as well.
        """

        def run() -> None:
            with self.client() as channel, standard_error() as written:
                self.check_answers(channel)
                with ExitStack() as open_:
                    for number in range(300):
                        peer = open_.enter_context(socket.socket(socket.AF_UNIX))
                        peer.settimeout(5.0)
                        peer.connect(self.path)
                        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                            peer.sendall(START[: number % len(START)])
                    self.check_answers(channel)
                # It may be a moment until the server knows that they have gone.
                self.check_serves(wait_for_ready=True)
            self.check_quiet(written)

        return in_thread(run)
