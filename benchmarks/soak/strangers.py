"""Other clients of the plugin's sockets: readers, callers that cancel, and noise."""

import os
import random
from contextlib import nullcontext

from twisted.internet.defer import CancelledError, TimeoutError
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Protocol

from benchmarks.soak.bench import Bench
from benchmarks.soak.devices import CDI, FILE, STEADY
from twistdp.errors import CallFailed
from twistdp.kubelet import ALLOCATE, LIST_AND_WATCH
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    AllocateRequest,
    AllocateResponse,
    ContainerAllocateRequest,
    Empty,
    ListAndWatchResponse,
)
from twistdp.rpc import Channel


class Strangers:
    """Each step is one of them, and must do no harm."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def reader(self) -> None:
        """A second stream that is read slowly and ends in one way or another.

        One that was opened while a kubelet registers may be taken for the kubelet's, and then its
        end leads to another registration.
        """
        mark, channel = self._bench.mark(), self._channel()
        stream = channel.stream(LIST_AND_WATCH, Empty(), ListAndWatchResponse)
        kubelets = True
        try:
            for number in range(random.randint(1, 6)):
                if await stream.read().addTimeout(2.0, self._bench.reactor) is None:
                    break
                if number == 0:
                    kubelets = not self._bench.calm(mark)
                await self._bench.pause(random.choice([0.0, 0.5]))
        except (CallFailed, CancelledError, TimeoutError):
            pass  # the kubelet restarts meanwhile, or nothing happens there
        with self._bench.disturbance() if kubelets else nullcontext():
            if random.random() < 0.5:
                stream.cancel()
            await channel.close()
            if kubelets:
                await self._bench.pause(1.0)
        self._bench.record.counts["other streams"] += 1

    async def gives_up(self) -> None:
        """An allocation that is cancelled at some moment."""
        channel = self._channel()
        request = AllocateRequest(
            container_requests=[ContainerAllocateRequest(devices_ids=STEADY[:2])]
        )
        call = channel.unary(ALLOCATE, request, AllocateResponse)
        call.addErrback(lambda failure: failure.trap(CancelledError, CallFailed) and None)
        await self._bench.pause(random.choice([0.0, 0.002, 0.005]))
        call.cancel()
        await call
        await channel.close()
        self._bench.record.counts["cancelled calls"] += 1

    async def malformed(self) -> None:
        """A call with bytes that are no message."""
        channel, mark = self._channel(), self._bench.mark()
        try:
            await channel.unary(ALLOCATE, b"\xff" * random.randint(1, 2000), AllocateResponse, 5.0)
            self._bench.problem("malformed bytes were answered")
        except CallFailed as error:
            if error.status != "INVALID_ARGUMENT" and self._bench.calm(mark):
                self._bench.problem(f"malformed bytes: {error!r}")
        await channel.close()
        self._bench.record.counts["malformed calls"] += 1

    async def noise(self) -> None:
        """A connection that speaks no HTTP, or nothing at all."""
        endpoint = UNIXClientEndpoint(self._bench.reactor, self._path())
        protocol = Protocol()
        try:
            await connectProtocol(endpoint, protocol)
        except ConnectError:
            return  # the kubelet restarts
        transport = protocol.transport
        assert transport is not None
        if random.random() < 0.7:
            transport.write(random.randbytes(random.randint(1, 10_000)))
        await self._bench.pause(0.2)
        transport.loseConnection()
        self._bench.record.counts["connections with noise"] += 1

    def _channel(self) -> Channel:
        return Channel(self._path(), reactor=self._bench.reactor)

    def _path(self) -> str:
        name = random.choice([FILE, CDI]).replace("/", "_")
        return os.path.join(self._bench.plugins, f"{name}.sock")
