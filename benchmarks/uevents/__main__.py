"""``python -m benchmarks.uevents``: as root, with a virtio_rng device and a loop device."""

import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutput

from tests.support.declarations import resources
from tests.support.uevents import a_block_device, bind, bound_device
from twistdp.cli.running import run_on_reactor
from twistdp.manager import Manager
from twistdp.scanners.declared import DeclaredScanner
from twistdp.settings import Settings
from twistdp.testing import FakeKubelet

ROUNDS = 100
PAUSE = 0.25
"""Seconds between two events, so that each is an isolated one."""

EVENTS = 10_000
NAME = "x.example.com/thing"
DRIVEN = "thing: {subsystem: virtio, driver: 'virtio_*', id: '{kernelName}', env: {A: b}}"
RULES = {
    "of a subsystem that no rule is about": "thing: {subsystem: net, env: {A: b}}",
    "where a rule is about all subsystems": DRIVEN,
    "of a device that a rule selects": "thing: {subsystem: block}",
}
WRITER = """
import os
file = os.open("/sys{path}/uevent", os.O_WRONLY)
for _ in range({count}):
    os.write(file, b"change")
"""


@asynccontextmanager
async def served(rule: str) -> AsyncIterator[FakeKubelet]:
    """A kubelet, and a plugin that serves a resource."""
    with tempfile.TemporaryDirectory(prefix="tdp-") as directory:
        kubelet = FakeKubelet(directory, force=True)
        await kubelet.start()
        scanner = DeclaredScanner(resources(rule))
        scanner.rescan_interval = 3600.0
        manager = Manager("x.example.com", scanner, settings=Settings(plugin_dir=directory))
        manager.startService()
        try:
            yield kubelet
        finally:
            await manager.stopService()
            await kubelet.stop()


async def times_of_drivers(reactor: Any) -> list[float]:
    """Milliseconds from a bound or unbound driver to the kubelet's list."""
    path, driver = bound_device()
    taken = []
    async with served(DRIVEN) as kubelet:
        name = os.path.basename(path)
        await kubelet.until(lambda: name in kubelet.devices(NAME))
        try:
            for _ in range(ROUNDS):
                for how in ("unbind", "bind"):
                    await deferLater(reactor, PAUSE, lambda: None)
                    bind(path, driver, how)
                    begin = time.perf_counter()
                    while (name in kubelet.devices(NAME)) != (how == "bind"):
                        await deferLater(reactor, 0.0002, lambda: None)
                    taken.append(1000 * (time.perf_counter() - begin))
        finally:
            if not os.path.exists(f"{driver}/{name}"):
                bind(path, driver)
    return sorted(taken)


async def cost_of_events(reactor: Any, rule: str) -> float:
    """Milliseconds of CPU time that many events take."""
    program = WRITER.format(path=a_block_device(), count=EVENTS)
    async with served(rule):
        await deferLater(reactor, 1.0, lambda: None)
        before = resource.getrusage(resource.RUSAGE_SELF)
        await getProcessOutput(sys.executable, ["-c", program])
        await deferLater(reactor, 0.5, lambda: None)
        after = resource.getrusage(resource.RUSAGE_SELF)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


async def measure(reactor: Any) -> int:
    """Print the figures."""
    taken = await times_of_drivers(reactor)
    print(
        f"driver to list: median {statistics.median(taken):.1f} ms, "
        f"99 % {taken[len(taken) * 99 // 100]:.1f} ms"
    )
    for words, rule in RULES.items():
        print(f"{EVENTS} events {words}: {await cost_of_events(reactor, rule):.0f} ms of CPU time")
    return 0


if __name__ == "__main__":
    sys.exit(run_on_reactor(measure))
