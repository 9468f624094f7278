"""``load.py SOCKET IDS CALLERS SECONDS PID``: calls Allocate as fast as the server answers.

A process of its own that speaks just enough HTTP/2: a call costs it some 30 µs, a tenth of what
one with grpcio would cost, so that what is measured is the server.  One connection for all
callers, as a kubelet's; it prints JSON, with the CPU time that the process PID used for it.
"""

import json
import socket
import struct
import sys
import time

ALLOCATE = b"/v1beta1.DevicePlugin/Allocate"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
END, ACK, WHOLE = 1, 1, 4
"""Flags of a stream's last frame, of an acknowledgement, and of a complete header block."""

WARM_UP = 0.2
"""Seconds at the beginning that do not count, at most a fifth of all."""
_MOST = 2**31 - 1


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame."""
    head = struct.pack("!BHBBI", len(payload) >> 16, len(payload) & 0xFFFF, kind, flags, stream)
    return head + payload


def allocate_request(ids: list[bytes]) -> bytes:
    """One container's request, in gRPC's framing; ids of at most 127 bytes."""
    container = b"".join(b"\x0a" + bytes([len(id_)]) + id_ for id_ in ids)
    length, size = b"", len(container)
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    message = b"\x0a" + length + bytes([size]) + container
    return struct.pack("!BI", 0, len(message)) + message


def headers(path: bytes) -> bytes:
    """A header block without compression: names by their number in HPACK's table."""
    named = [(b"\x04", path), (b"\x01", b"localhost"), (b"\x0f\x10", b"application/grpc")]
    named += [(b"\x0f\x2b", b"grpc-go/1.72.2"), (b"\x00\x02te", b"trailers")]
    return b"\x83\x86" + b"".join(name + bytes([len(value)]) + value for name, value in named)


class Client:
    """A connection on which `callers` calls are open all the time."""

    def __init__(self, path: str, message: bytes, callers: int) -> None:
        self.latencies: list[float] = []
        self.answer = 0
        """Bytes of an answer's message."""
        self._headers, self._message, self._callers = headers(ALLOCATE), message, callers
        self._stream = 1
        self._begun: dict[int, float] = {}
        self._got: dict[int, int] = {}
        self._buffer = b""
        self._window = 65535
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._out = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            # The widest windows, so that nothing must be counted here.
            frame(SETTINGS, 0, 0, struct.pack("!HIHI", 2, 0, 4, _MOST)),
            frame(WINDOW, 0, 0, struct.pack("!I", _MOST - 65535)),
        ]

    def run(self, seconds: float) -> None:
        """Call for some seconds, and then wait for the open calls."""
        over = time.perf_counter() + seconds
        while (calling := time.perf_counter() < over) or self._begun:
            while calling and len(self._begun) < self._callers and self._window > 0:
                self._call()
            if self._out:
                self._socket.sendall(b"".join(self._out))
                self._out = []
            self._receive()

    def _call(self) -> None:
        stream, self._stream = self._stream, self._stream + 2
        self._window -= len(self._message)
        self._out.append(frame(HEADERS, WHOLE, stream, self._headers))
        self._out.append(frame(DATA, END, stream, self._message))
        self._begun[stream] = time.perf_counter()
        self._got[stream] = 0

    def _receive(self) -> None:
        data = self._socket.recv(1 << 18)
        now = time.perf_counter()
        if not data:
            raise ConnectionError("the server has closed the connection")
        self._buffer += data
        position = 0
        while position + 9 <= len(self._buffer):
            high, low, kind, flags, stream = struct.unpack_from("!BHBBI", self._buffer, position)
            end = position + 9 + (high << 16 | low)
            if end > len(self._buffer):
                break
            self._take(kind, flags, stream, self._buffer[position + 9 : end], now)
            position = end
        self._buffer = self._buffer[position:]

    def _take(self, kind: int, flags: int, stream: int, payload: bytes, now: float) -> None:
        if kind == DATA:
            self._got[stream] += len(payload)
        elif kind == HEADERS and flags & END:
            self.latencies.append(now - self._begun.pop(stream))
            self.answer = self._got.pop(stream) - 5
            if self.answer < 0:
                raise ConnectionError("a call was refused")
        elif kind == SETTINGS and not flags & ACK:
            self._out.append(frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            self._out.append(frame(PING, ACK, 0, payload))
        elif kind == WINDOW and stream == 0:
            self._window += int.from_bytes(payload, "big")
        elif kind in (RESET, GOAWAY):
            raise ConnectionError(f"the server has ended it: {kind} {payload!r}")


def main(path: str, ids: str, callers: str, seconds: str, pid: str) -> None:
    """Warm up, call, and print the result."""
    client = Client(path, allocate_request([id_.encode() for id_ in ids.split(",")]), int(callers))
    client.run(min(WARM_UP, float(seconds) / 5))
    client.latencies.clear()
    clock = (~int(pid) << 3) | 2
    begin, used = time.perf_counter(), time.clock_gettime(clock)
    mine = time.process_time()
    client.run(float(seconds))
    outcome = {
        "seconds": time.perf_counter() - begin,
        "cpu": time.clock_gettime(clock) - used,
        "own": time.process_time() - mine,
        "answer": client.answer,
        "latencies": client.latencies,
    }
    print(json.dumps(outcome))


if __name__ == "__main__":
    main(*sys.argv[1:])
