"""Measures a plugin's resources, and its work while nothing happens."""

import asyncio
import time
from contextlib import AsyncExitStack

from benchmarks.bench.process import cpu, footprint, wakeups
from benchmarks.bench.stage import Bench, Node, files, folders, node

WINDOW = 60.0
"""Seconds of idleness: long enough to include a rescan once a minute."""
SETTLE = 3.0
"""Seconds from the list until the plugin is idle."""


async def hold(bench: Bench) -> None:
    """Measure memory, threads, descriptors, CPU time and wakeups of all plugins at once."""
    async with AsyncExitStack() as stack:
        stages: list[tuple[str, Node]] = []
        for count in bench.sizes(8, 10_000):
            devices = stack.enter_context(files(count))
            for contender in bench.contenders:
                stage = await stack.enter_async_context(node(contender, devices))
                await stage.start()
                await stage.ready(count)
                stages.append((f"{count} devices", stage))
        for count in () if bench.quick else (200,):
            devices = stack.enter_context(folders(count, 4))
            for contender in bench.those_with_many():
                stage = await stack.enter_async_context(node(contender, devices))
                await stage.start(many=True)
                await stage.ready(4, count)
                stages.append((f"{count} resources", stage))
        await asyncio.sleep(SETTLE)
        for what, stage in stages:
            _note_footprint(bench, what, stage)
        for _ in bench.times(1):
            before = [(time.perf_counter(), cpu(one.pid), wakeups(one.pid)) for _, one in stages]
            await asyncio.sleep(2.0 if bench.quick else WINDOW)
            for (what, stage), (begin, used, woken) in zip(stages, before, strict=True):
                minutes = (time.perf_counter() - begin) / 60
                name, add = stage.contender.name, bench.record.add
                seconds = (cpu(stage.pid) - used) / minutes
                add(f"idle CPU a minute, {what}", "s", name, seconds)
                number = (wakeups(stage.pid) - woken) / minutes
                add(f"idle wakeups a minute, {what}", "", name, number)


def _note_footprint(bench: Bench, what: str, stage: Node) -> None:
    held, name, add = footprint(stage.pid), stage.contender.name, bench.record.add
    add(f"RSS, {what}", "MB", name, held.rss)
    add(f"threads, {what}", "", name, held.threads)
    add(f"descriptors, {what}", "", name, held.descriptors)
    add(f"inotify instances, {what}", "", name, held.inotify)
