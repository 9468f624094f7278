"""Measures a configuration file beside scanners in Python that find the same devices."""

import asyncio
import os
import time
from contextlib import AsyncExitStack

from benchmarks.bench.adapters import KINDS, adapters, id_of, node_of
from benchmarks.bench.byhand import SCANNED
from benchmarks.bench.contenders import GLOB, HAND, OURS, Contender, declaring, related
from benchmarks.bench.holding import SETTLE
from benchmarks.bench.process import footprint
from benchmarks.bench.record import NEVER
from benchmarks.bench.stage import PATIENCE, Bench, Node, node, touch

ADAPTERS = 2500
"""Serial adapters; each is four devices in sysfs, so there are 10 000 candidates."""
RELATED = ", members and mounts"
"""What the figures of a rule with these are called."""
RESCAN = 65.0
"""Seconds in which everything was scanned again: twice the memory is needed for a moment."""


async def declared(bench: Bench) -> None:
    """The first scan, events, and the memory after the first scan and after another."""
    count = KINDS if bench.quick else ADAPTERS
    with adapters(count) as root:
        for contender in declaring():
            for _ in bench.times(5):
                async with node(contender, root) as stage:
                    await _first_scan(bench, stage, count)
            await _events(bench, contender, root, count)
        for _ in bench.times(5):
            async with node(related(), root) as stage:
                await _first_scan(bench, stage, count, RELATED)
        await _events(bench, related(), root, count, RELATED)
        async with AsyncExitStack() as stack:
            stages = []
            for contender in declaring():
                stages.append(await stack.enter_async_context(node(contender, root)))
                await _start(stages[-1], count)
            await asyncio.sleep(SETTLE)
            _note_memory(bench, stages, "")
            await asyncio.sleep(SETTLE if bench.quick else RESCAN)
            _note_memory(bench, stages, " after a rescan")


async def _start(stage: Node, count: int, when: str = "") -> float:
    """Start it, and return how long it took until all adapters were listed."""
    await stage.start()
    kinds = 1 if when == RELATED or stage.contender.name == GLOB else KINDS
    await stage.ready(count // kinds, kinds)
    return time.perf_counter() - stage.begun


async def _first_scan(bench: Bench, stage: Node, count: int, when: str = "") -> None:
    name, add = stage.contender.name, bench.record.add
    add(f"declared: start to listed{when}", "ms", name, 1000 * await _start(stage, count, when))
    with open(stage.log, encoding="utf-8", errors="replace") as file:
        scans = [line.partition(SCANNED)[2] for line in file if SCANNED in line]
    if scans:
        add(f"declared: first scan{when}", "ms", name, 1000 * float(scans[0]))


async def _events(
    bench: Bench, contender: Contender, root: str, count: int, when: str = ""
) -> None:
    async with node(contender, root) as stage:
        await _start(stage, count, when)
        await asyncio.sleep(1.0)
        for _ in bench.times(20):
            await _event(bench, stage, root, count - 1, when)


async def _event(bench: Bench, stage: Node, root: str, number: int, when: str) -> None:
    """A node goes and comes back."""
    name, path = stage.contender.name, os.path.join(root, node_of(number))
    device = os.path.basename(path) if name == GLOB else id_of(number)
    for what, act in (("remove", os.unlink), ("add", touch)):
        await asyncio.sleep(0.4)
        begin = time.perf_counter()
        act(path)
        seconds = await _seen(stage, device, what == "add") - begin
        bench.record.add(f"declared: {what} a device{when}", "ms", name, 1000 * seconds)


async def _seen(stage: Node, device: str, there: bool) -> float:
    """The time when a list had the device, or none had it any more."""
    encoded, kubelet = device.encode(), stage.kubelet

    def is_so() -> bool:
        return any(encoded in one.message for one in kubelet.resources.values()) is there

    try:
        return await kubelet.until(is_so, PATIENCE)
    except TimeoutError:
        return NEVER


def _note_memory(bench: Bench, stages: list[Node], when: str) -> None:
    held = {stage.contender.name: footprint(stage.pid) for stage in stages}
    for name, one in held.items():
        bench.record.add(f"declared: RSS{when}", "MB", name, one.rss)
        bench.record.add(f"declared: most RSS{when}", "MB", name, one.peak)
    more = held[OURS].rss - held[HAND].rss
    bench.record.add(f"declared: RSS beyond the scanner by hand{when}", "MB", OURS, more)
