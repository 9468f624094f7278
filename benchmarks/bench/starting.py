"""From nothing to listed: the process's start, many resources, a new kubelet."""

import asyncio
from contextlib import AsyncExitStack

from benchmarks.bench.record import NEVER
from benchmarks.bench.stage import Bench, Node, files, folders, node


async def start(bench: Bench) -> None:
    """Process start to Register, and to the full list."""
    for count in bench.sizes(1, 100, 10_000):
        with files(count) as devices:
            for _ in bench.times(10):
                for contender in bench.contenders:
                    async with node(contender, devices) as stage:
                        await stage.start()
                        registered, listed = await _moments(stage, count)
                    what = f"{count} device{'s' * (count > 1)}"
                    add = bench.record.add
                    add(f"start to Register, {what}", "ms", contender.name, 1000 * registered)
                    add(f"start to listed, {what}", "ms", contender.name, 1000 * listed)


async def resources(bench: Bench) -> None:
    """Process start to all resources listed."""
    for count in bench.sizes(1, 20, 200):
        with folders(count, 4) as devices:
            for _ in bench.times(5):
                for contender in bench.those_with_many():
                    async with node(contender, devices) as stage:
                        await stage.start(many=True)
                        took = await _took(stage, 4, count)
                    what = f"start to {count} resource{'s' * (count > 1)} listed"
                    bench.record.add(what, "ms", contender.name, 1000 * took)


async def restart(bench: Bench) -> None:
    """A kubelet that restarts, to the list of the last resource; the contenders take turns."""
    for count in bench.sizes(1, 200):
        what = f"kubelet restart to listed, {count} resource{'s' * (count > 1)}"
        async with AsyncExitStack() as stack:
            devices = stack.enter_context(folders(count, 8))
            stages = []
            for contender in bench.following():
                if contender.many:
                    stages.append(await stack.enter_async_context(node(contender, devices)))
                    await stages[-1].start(many=True)
                    await _took(stages[-1], 8, count)
            # A restart with one resource takes so little that noise is a large part of it.
            for _ in bench.times(40 if count == 1 else 10):
                for stage in stages:
                    await asyncio.sleep(0.7)
                    await stage.kubelet.stop()
                    await asyncio.sleep(0.3)
                    await stage.kubelet.start()
                    stage.begun = stage.kubelet.started
                    took = await _took(stage, 8, count)
                    bench.record.add(what, "ms", stage.contender.name, 1000 * took)


async def _moments(stage: Node, count: int) -> tuple[float, float]:
    """Seconds to Register and to the list."""
    try:
        registered = await stage.registered() - stage.begun
        return registered, await stage.listed(count) - stage.begun
    except TimeoutError:
        return NEVER, NEVER


async def _took(stage: Node, devices: int, count: int) -> float:
    try:
        return await stage.listed(devices, count) - stage.begun
    except TimeoutError:
        return NEVER
