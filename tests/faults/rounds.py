"""A manager and an emulated kubelet over real sockets, and what can happen to them."""

import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress as suppressed
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from tests.faults.hardware import DESCRIBED, KINDS, Hardware
from tests.faults.specs import Specs
from twistdp import Manager, Settings
from twistdp.errors import CallFailed
from twistdp.kubelet.api import LIST_AND_WATCH
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import Empty, ListAndWatchResponse
from twistdp.rpc.channel import Channel
from twistdp.rpc.stream import Stream
from twistdp.testing.kubelet import FakeKubelet

DOMAIN = "faults.example.com"


class Round:
    """One manager and one kubelet; what happens to them is chosen by `seed`.

    `way` is how resources are registered, `patience` the time in seconds in which all must be
    well after the last fault.
    """

    def __init__(self, seed: int, way: str, reactor: Any, *, patience: float = 12.0) -> None:
        self.seed = seed
        self.way = way
        self.history: list[str] = []
        """The events, one line each, with seconds."""
        self.left: set[str] = set()
        """The files that were there after the end."""
        self._reactor = reactor
        self._patience = patience
        self._chance = random.Random(seed)
        self._root = tempfile.mkdtemp(prefix="tdpf-")
        self._plugin_dir = os.path.join(self._root, "p")
        self._registry_dir = os.path.join(self._root, "w", "r")
        for path in (self._plugin_dir, self._registry_dir):
            os.makedirs(path)
        self._specs = Specs(os.path.join(self._root, "cdi"), DOMAIN)
        self._hardware = Hardware(os.path.join(self._root, "hw"))
        self._manager = Manager(
            DOMAIN,
            self._hardware.scanner,
            settings=Settings(
                plugin_dir=self._plugin_dir,
                registry_dir=self._registry_dir,
                registration=way,
                cdi_dir=self._specs.path,
            ),
            reactor=reactor,
        )
        self._kubelet = FakeKubelet(
            self._plugin_dir,
            registry_dir=self._registry_dir if way == "watcher" else None,
            force=True,
            observe=self._note,
            reactor=reactor,
        )
        self._sockets = self._registry_dir if way == "watcher" else self._plugin_dir
        self._strangers: list[tuple[Channel, Stream[ListAndWatchResponse]]] = []
        self._doing: list[Deferred[None]] = []
        self._began = time.monotonic()

    def _note(self, line: str) -> None:
        self.history.append(f"{time.monotonic() - self._began:9.4f} {line}")

    async def run(self, steps: int) -> list[float]:
        """Have `steps` faults or some more, a few at a time, and let all become well after each
        few; the seconds that this took, each time.

        Fails with Twisted's TimeoutError if that takes too long.
        """
        for id_ in range(2):
            self._hardware.plug(f"one.{id_}")
        if self._chance.random() < 0.7:
            self._note("--- kubelet start")
            await self._kubelet.start()
        self._manager.startService()
        seconds: list[float] = []
        try:
            while steps > 0:
                several = self._chance.randint(1, 6)
                steps -= several
                for _ in range(several):
                    await self._pause()
                    fault = self._chance.choice(self._faults())
                    self._note(f"--- {fault.__name__.strip('_')}")
                    fault()
                seconds.append(await self._recovered())
                await self._true_list_follows()
            return seconds
        finally:
            await self._end()

    # What can happen

    def _faults(self) -> list[Callable[[], None]]:
        common = [
            self._kubelet_restarts,
            self._kubelet_restarts,
            self._kubelet_stops,
            self._kubelet_starts,
            self._own_socket_vanishes,
            self._own_socket_vanishes,
            self._directory_made_anew,
            self._stream_ended,
            self._stranger_comes,
            self._stranger_goes,
            self._register_refused,
            self._register_taken,
            self._hardware.scanner_fails,
            self._hardware.bad_tree,
            self._hardware.scanner_works,
            self._devices_change,
            self._devices_change,
            self._hardware.all_devices_vanish,
            self._all_back,
            self._service_restarts,
        ]
        if self.way == "socket":
            common += [self._kubelet_socket_replaced, self._kubelet_socket_replaced]
        return common

    async def _pause(self) -> None:
        seconds = self._chance.choice([0, 0, 0.001, 0.003, 0.006, 0.01, 0.03, 0.1])
        await deferLater(self._reactor, seconds * self._chance.uniform(0.5, 1.5))

    def _do(self, work: Deferred[Any]) -> None:
        self._doing.append(work.addErrback(self._surprised))

    def _surprised(self, failure: Failure) -> None:
        self._note(f"--- {failure!r}")

    def _kubelet_restarts(self) -> None:
        if self._kubelet.running:
            self._do(self._kubelet.restart())

    def _kubelet_stops(self) -> None:
        if self._kubelet.running:
            self._do(self._kubelet.stop())

    def _kubelet_starts(self) -> None:
        if not self._kubelet.running:
            self._do(self._kubelet.restart())

    def _kubelet_socket_replaced(self) -> None:
        if self._kubelet.running and os.path.exists(self._kubelet.socket):
            self._do(self._kubelet.replace_socket())

    def _own_socket_vanishes(self) -> None:
        for name in os.listdir(self._sockets):
            if name.startswith(DOMAIN):
                os.unlink(os.path.join(self._sockets, name))

    def _directory_made_anew(self) -> None:
        shutil.rmtree(self._sockets, ignore_errors=True)
        if os.path.isdir(self._sockets):  # somebody has removed a file in it meanwhile
            shutil.rmtree(self._sockets)
        os.mkdir(self._sockets)
        self._do(self._kubelet.restart())

    def _stream_ended(self) -> None:
        for node in self._kubelet.resources.values():
            node.end_stream()

    def _stranger_comes(self) -> None:
        for name in os.listdir(self._sockets):
            if name.startswith(DOMAIN):
                channel = Channel(os.path.join(self._sockets, name), reactor=self._reactor)
                stream = channel.stream(LIST_AND_WATCH, Empty(), ListAndWatchResponse)
                self._strangers.append((channel, stream))
                Deferred.fromCoroutine(self._read(stream)).addErrback(self._surprised)

    async def _read(self, stream: Stream[ListAndWatchResponse]) -> None:
        with suppressed(CallFailed, CancelledError):
            async for _ in stream:
                pass

    def _stranger_goes(self) -> None:
        while self._strangers:
            channel, stream = self._strangers.pop()
            stream.cancel()
            self._do(channel.close())

    def _register_refused(self) -> None:
        self._kubelet.refusal = "not now"

    def _register_taken(self) -> None:
        self._kubelet.refusal = None

    def _devices_change(self) -> None:
        self._hardware.toggle(f"{self._chance.choice(KINDS)}.{self._chance.randrange(3)}")

    def _all_back(self) -> None:
        for kind in KINDS:
            self._hardware.plug(f"{kind}.0")

    def _service_restarts(self) -> None:
        if not self._manager.running:
            return

        def start(_: object) -> None:
            if not self._manager.running:
                self._manager.startService()

        self._do(self._manager.stopService().addCallback(start))

    # Required outcomes

    async def _recovered(self) -> float:
        for work in self._doing:
            await work
        self._doing.clear()
        self._kubelet.refusal = None
        if self._chance.random() < 0.5:
            self._stranger_goes()
        if not self._hardware.names:
            self._hardware.plug("one.0")
        self._hardware.scanner_works()
        if not self._kubelet.running or not os.path.exists(self._kubelet.socket):
            await self._kubelet.restart()
        began = time.monotonic()
        self._note("--- no more faults")
        await self._listed()
        return time.monotonic() - began

    async def _listed(self) -> None:
        await self._kubelet.until(lambda: all(map(self._is_listed, KINDS)), self._patience)
        self._note("--- recovered")

    def _is_listed(self, kind: str) -> bool:
        resource, wanted = f"{DOMAIN}/{kind}", self._hardware.ids(kind)
        if self._kubelet.allocatable(resource) != len(wanted):
            return False
        if kind == DESCRIBED and not wanted <= self._specs.ids():
            return False
        return not wanted or self._kubelet.devices(resource).keys() == wanted

    async def _true_list_follows(self) -> None:
        """The next change reaches the kubelet too: its stream is a live one."""
        for kind in KINDS:
            self._hardware.plug(f"{kind}.last")
        await self._listed()

    async def _end(self) -> None:
        self._note("--- the end")
        if self._manager.running:
            await self._manager.stopService()
        self._stranger_goes()
        await self._kubelet.stop()
        for work in self._doing:
            await work
        self.left = {
            name for name in os.listdir(self._sockets) if DOMAIN in name or name.startswith(".tdp")
        } | {name for name in os.listdir(os.path.dirname(self._sockets)) if name.startswith(".")}
        self.left.update(self._specs.half_made())
        shutil.rmtree(self._root)
