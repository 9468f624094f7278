"""All the ways in which a kubelet disturbs a plugin."""

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from twisted.internet.defer import TimeoutError

from benchmarks.soak.bench import Bench
from benchmarks.soak.devices import CDI, FILE
from twistdp.model import socket_path


class Restarts:
    """Disturbs the registration, and checks that the resources are registered again."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._kubelet = bench.kubelet
        self._forms = [
            *(self.wipe, self.socket_only, self.own_socket_removed, self.stream_ended) * 3,
            *(self.absence, self.refusal, self.directory_made_anew),
        ]

    async def step(self) -> None:
        """Disturb it in one of the ways."""
        bench, form = self._bench, random.choice(self._forms)
        name = form.__name__.replace("_", " ")
        before = self._registrations()
        with bench.disturbance():
            over = await form() or (lambda: self._again(before))
            begin = bench.now()
            try:
                await self._kubelet.until(over, 30.0)
            except TimeoutError:
                bench.problem(f"not registered again after: {name}")
        bench.record.counts[f"kubelet: {name}"] += 1
        bench.record.latencies[f"again after {name}"].append((bench.now(), bench.now() - begin))

    async def wipe(self) -> None:
        """Restart the kubelet, which deletes all sockets."""
        await self._kubelet.restart()

    async def socket_only(self) -> None:
        """Replace kubelet.sock alone."""
        await self._kubelet.replace_socket()

    async def own_socket_removed(self) -> Callable[[], bool]:
        """Delete the plugin's sockets, which the kubelet does not notice.

        They are made again, and nothing need be registered for that.
        """
        paths = [socket_path(self._bench.plugins, resource) for resource in (FILE, CDI)]
        for path in paths:
            with suppress(FileNotFoundError):
                os.unlink(path)
        return lambda: all(map(os.path.exists, paths))

    async def stream_ended(self) -> None:
        """Let the kubelet drop the plugin, which must register again by itself."""
        for resource in (FILE, CDI):
            self._kubelet.disconnect(resource)

    async def absence(self) -> None:
        """Stop the kubelet for a while."""
        await self._kubelet.stop()
        await self._bench.pause(3.0)
        await self._kubelet.start()

    async def refusal(self) -> None:
        """Restart the kubelet, which refuses everybody at first."""
        self._kubelet.refusal = "not yet"
        await self._kubelet.restart()
        await self._bench.pause(0.5)
        self._kubelet.refusal = None

    async def directory_made_anew(self) -> None:
        """Remove the whole directory."""
        await self._kubelet.stop()
        while os.path.exists(self._bench.plugins):
            with suppress(OSError):  # the plugin makes files in it meanwhile
                shutil.rmtree(self._bench.plugins)
        await self._bench.pause(0.3)
        os.mkdir(self._bench.plugins)
        await self._kubelet.start()

    def _registrations(self) -> Counter[str]:
        return Counter(one.resource for one in self._kubelet.registrations if not one.error)

    def _again(self, before: Counter[str]) -> bool:
        now = self._registrations()
        return all(
            now[resource] > before[resource] and self._kubelet.allocatable(resource) > 0
            for resource in (FILE, CDI)
        )
