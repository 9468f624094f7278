"""Measures Allocate: the duration of a call, and the number of calls in a second."""

import asyncio
import json
import os
import statistics
import sys
from contextlib import AsyncExitStack
from typing import Any

from benchmarks.bench.contenders import HERE
from benchmarks.bench.record import percentile
from benchmarks.bench.stage import Bench, Node, files, node

DEVICES = 128
"""Devices of each plugin."""


async def allocate(bench: Bench) -> None:
    """Measure one caller and some devices, then many callers and one device, in turn."""
    for count in bench.sizes(1, 8, 100):
        with files(DEVICES) as devices:
            async with AsyncExitStack() as stack:
                stages = await _stages(bench, stack, devices, count)
                for _ in bench.times(10):
                    for stage in stages:
                        _note_latency(bench, stage, count, await _load(stage, count, 1, bench))
                if count == 1:
                    for callers in bench.sizes(1, 8, 64):
                        for _ in bench.times(10):
                            for stage in stages:
                                outcome = await _load(stage, 1, callers, bench)
                                _note_rate(bench, stage, callers, outcome)


async def _stages(bench: Bench, stack: AsyncExitStack, devices: str, count: int) -> list[Node]:
    """Start all contenders; the floors answer with as many bytes as the first one."""
    stages: list[Node] = []
    size = 0
    for contender in sorted(bench.contenders, key=lambda one: not one.follows):
        stage = await stack.enter_async_context(node(contender, devices))
        await stage.start(answer=size)
        await stage.ready(DEVICES)
        if not stages:
            size = (await _load(stage, count, 1, bench))["answer"]
        stages.append(stage)
    return stages


async def _load(stage: Node, count: int, callers: int, bench: Bench) -> dict[str, Any]:
    """About a second of calls, by a process of its own."""
    ids = ",".join(f"dev-{number:05}" for number in range(count))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, os.path.join(HERE, "load.py"), stage.resource.path, ids),
        *(str(callers), "0.2" if bench.quick else "1", str(stage.pid)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{stage.contender.name}: calling Allocate: {errors.decode()}")
    outcome: dict[str, Any] = json.loads(out)
    return outcome


def _note_latency(bench: Bench, stage: Node, count: int, outcome: dict[str, Any]) -> None:
    name, add = stage.contender.name, bench.record.add
    what = f"{count} device{'s' * (count > 1)}"
    latencies = [1e6 * seconds for seconds in outcome["latencies"]]
    add(f"Allocate, {what}", "µs", name, statistics.median(latencies))
    add(f"Allocate, {what}: p99 of calls", "µs", name, percentile(latencies, 0.99))
    add(f"Allocate, {what}: CPU a call", "µs", name, 1e6 * outcome["cpu"] / len(latencies))


def _note_rate(bench: Bench, stage: Node, callers: int, outcome: dict[str, Any]) -> None:
    name, add = stage.contender.name, bench.record.add
    what = f"{callers} caller{'s' * (callers > 1)}"
    calls, seconds = len(outcome["latencies"]), outcome["seconds"]
    add(f"Allocate rate, {what}", "calls/s", name, calls / seconds, more=True)
    add(f"Allocate rate, {what}: CPU a call", "µs", name, 1e6 * outcome["cpu"] / calls)
    busy = 100 * outcome["own"] / seconds
    add(f"Allocate rate, {what}: the client's own CPU", "%", name, busy)
