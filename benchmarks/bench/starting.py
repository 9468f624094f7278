"""From nothing to listed: the process's start, many resources, a new kubelet."""

import asyncio

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
    """A kubelet that restarts, to the list of the last resource."""
    for count in bench.sizes(1, 200):
        with folders(count, 8) as devices:
            for contender in bench.following():
                if not contender.many:
                    continue
                async with node(contender, devices) as stage:
                    await stage.start(many=True)
                    await _took(stage, 8, count)
                    for _ in bench.times(10):
                        await asyncio.sleep(0.7)
                        await stage.kubelet.stop()
                        await asyncio.sleep(0.3)
                        await stage.kubelet.start()
                        stage.begun = stage.kubelet.started
                        took = await _took(stage, 8, count)
                        what = f"kubelet restart to listed, {count} resource{'s' * (count > 1)}"
                        bench.record.add(what, "ms", contender.name, 1000 * took)


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
