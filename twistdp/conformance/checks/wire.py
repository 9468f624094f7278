"""Checks of the plugin's behaviour with odd peers."""

import os
import socket
from collections.abc import Iterable
from contextlib import ExitStack, suppress

from twisted.internet.defer import CancelledError

from twistdp.conformance.bench import Bench, allocation
from twistdp.conformance.checking import check
from twistdp.conformance.processes import usage
from twistdp.errors import CallFailed
from twistdp.kubelet import ALLOCATE, GET_OPTIONS, GET_PREFERRED_ALLOCATION
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    AllocateResponse,
    DevicePluginOptions,
    Empty,
)

SEEN = "seen in a kubelet 1.36"
GRPC = "gRPC over HTTP/2"

CANCELS = 200
"""Calls that are cancelled."""

CONNECTIONS = 64
"""Connections that send nothing, or half a greeting."""

SLACK = 5
"""Additional descriptors that a plugin may have afterwards."""

_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

GARBAGE = {
    "random bytes": bytes(range(256)) * 16,
    "an HTTP/1.1 request": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a TLS hello": bytes.fromhex("16030100a5010000a10303") + bytes(160),
    "half a preface": _HELLO[:11],
    "a frame of 16 MiB": _HELLO + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(4096),
    "headers that do not decode": _HELLO
    + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    + b"\x00\x00\x10\x01\x04\x00\x00\x00\x01"
    + b"\xff" * 16,
    "data for a stream that is not open": _HELLO
    + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    + b"\x00\x00\x05\x00\x00\x00\x00\x00\x63hello",
}
"""Bytes that are written to the socket, by description."""

MALFORMED = {
    "a cut length": b"\x0a\xff",
    "a wrong wire type": b"\x0f\x01",
    "text that is not UTF-8": b"\x0a\x04\x0a\x02\xff\xfe",
    "an endless varint": b"\x0a" + b"\xff" * 12,
}
"""Bytes that are no AllocateRequest, by their error."""


def _open(path: str, data: bytes) -> socket.socket:
    """A connection after writing `data`, as far as the peer accepts it."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    with suppress(OSError):  # refused, closed or full: the plugin may do that
        connection.connect(path)
        connection.send(data)
    return connection


@check(
    "wire.unknown-method",
    "An unknown method is UNIMPLEMENTED",
    source=f"{GRPC}: status UNIMPLEMENTED; later kubelets may know more methods",
    after=["registration.registers"],
)
async def unknown_method(bench: Bench) -> None:
    """A newer kubelet may call a method that the plugin does not know. UNIMPLEMENTED says so;
    any other answer looks like a failure."""
    await bench.begin()
    for method in ("/v1beta1.DevicePlugin/NoSuchMethod", "/v9.DevicePlugin/Allocate"):
        answer = await bench.call(method, Empty(), Empty)
        bench.require(answer.status == "UNIMPLEMENTED", f"{method} is answered with {answer}")
    await bench.sound()


@check(
    "wire.authority",
    "Any :authority is accepted",
    source=f"{SEEN}: the plugin watcher sends the percent-encoded path; kubernetes#109081, #112597",
    after=["registration.registers"],
)
async def authority(bench: Bench) -> None:
    """Over a unix socket the header :authority means nothing, and kubelets have sent odd ones. They
    cannot reach a server that insists on one."""
    await bench.begin()
    for value in ("localhost", "%2Fvar%2Flib%2Fkubelet%2Fx.sock", "kubelet.invalid:1"):
        answer = await bench.caller(authority=value).call(
            GET_OPTIONS, Empty(), DevicePluginOptions, bench.plan.patience
        )
        bench.require(answer.ok, f"with :authority {value!r}: {answer}")


@check(
    "wire.malformed",
    "Bytes that are no message are answered with an error",
    source=f"{GRPC}: any status but OK; Protocol Buffers encoding",
    after=["allocate.known"],
)
async def malformed(bench: Bench) -> None:
    """A request that does not parse is refused with any status; it neither succeeds nor stays
    without an answer. The plugin still serves afterwards."""
    await bench.begin()
    for what, data in MALFORMED.items():
        for method in (ALLOCATE, GET_PREFERRED_ALLOCATION):
            answer = await bench.call(method, data, AllocateResponse)
            bench.require(not answer.ok, f"{what} as a request of {method} is answered with OK")
            bench.require(
                answer.status != "DEADLINE_EXCEEDED", f"{what} as a request is never answered"
            )
    await bench.sound()


@check(
    "wire.garbage",
    "Garbage on the socket does no harm",
    source="any program can connect to a socket: port scanners, curl, a wrong client",
    after=["registration.registers"],
)
async def garbage(bench: Bench) -> None:
    """Random bytes, HTTP/1.1, TLS, broken frames and broken headers are written to the plugin's
    socket. It still serves, and the kubelet's stream stays open."""
    await bench.begin()
    ended = bench.streams_ended
    for what, data in GARBAGE.items():
        with _open(bench.socket, data):
            await bench.pause(0.1)
        bench.say(f"wrote {what} ({len(data)} bytes)")
        bench.require(bench.plugin.status is None, f"{what} ended the plugin")
    bench.require(bench.streams_ended == ended, "the kubelet's stream has ended")
    await bench.sound()


@check(
    "wire.half-open",
    "Silent connections do no harm and are closed",
    source="clients that hang, stop or die leave connections behind",
    after=["registration.registers"],
)
async def half_open(bench: Bench) -> None:
    """64 connections send nothing or half a greeting. Meanwhile the plugin serves others, and when
    the peer closes them, it closes its ends too."""
    await bench.begin()
    await bench.sound()
    before = usage(bench.plugin.pid).descriptors
    with ExitStack() as held:
        for number in range(CONNECTIONS):
            held.enter_context(_open(bench.socket, (b"", _HELLO[:5], _HELLO)[number % 3]))
        await bench.pause(0.2)
        held_then = usage(bench.plugin.pid).descriptors
        await bench.sound()
    bench.say(f"descriptors: {before} before, {held_then} with {CONNECTIONS} connections")
    await bench.until(
        f"the plugin has {before} descriptors again, at most {SLACK} more",
        lambda: usage(bench.plugin.pid).descriptors <= before + SLACK,
    )


@check(
    "wire.large",
    "A request that is too large is refused",
    source=f"{GRPC}: by default servers accept 4 MiB a message",
    after=["allocate.known"],
)
async def large(bench: Bench) -> None:
    """An Allocate of 8 MiB is refused with any status, and the plugin still serves. Otherwise any
    client could fill the plugin's memory."""
    await bench.begin()
    ids = ["no-such-device-" + "x" * 1000] * 8200
    answer = await bench.call(ALLOCATE, allocation(ids), AllocateResponse)
    bench.require(not answer.ok, "an Allocate of 8 MiB for unknown devices succeeds")
    bench.require(answer.status != "DEADLINE_EXCEEDED", "an Allocate of 8 MiB is never answered")
    await bench.sound()


@check(
    "wire.cancelled",
    "Calls that are cancelled do no harm",
    source="a kubelet that stops cancels its open calls",
    after=["allocate.known", "list.cancelled"],
)
async def cancelled(bench: Bench) -> None:
    """Two hundred calls are cancelled, some before and some after they have reached the plugin. It
    still serves."""
    await bench.begin()
    (id_,) = bench.need(1)
    caller = bench.caller()

    def cancelled_calls() -> Iterable[object]:
        for _ in range(CANCELS):
            call = caller.start(ALLOCATE, allocation([id_]), AllocateResponse)
            call.addErrback(lambda failure: failure.trap(CallFailed, CancelledError) and None)
            yield call
            call.cancel()

    for number, _ in enumerate(cancelled_calls()):
        if number % 4 == 0:
            # A busy machine may take longer than 1 ms to bring a call to the plugin.
            await bench.pause(0.02 if number % 40 == 0 else 0.001)
    bench.require(os.path.exists(bench.socket), "the plugin's socket is gone")
    await bench.sound()
