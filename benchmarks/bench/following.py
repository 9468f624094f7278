"""Measures changes: single ones, a storm, and more devices than fit into a message."""

import asyncio
import os
import random
import time

from benchmarks.bench.process import cpu
from benchmarks.bench.record import NEVER
from benchmarks.bench.stage import PATIENCE, Bench, Node, files, node, touch

STORM = 1000
"""Events of a storm, in one second."""
TOO_MANY = 70_000
"""Devices with the longest ids: 5.4 MB, while a kubelet accepts 4 MiB."""


async def hotplug(bench: Bench) -> None:
    """A device appears, and a device disappears: the time to the list that shows it."""
    for count in bench.sizes(100, 10_000):
        for contender in bench.following():
            with files(count) as devices:
                async with node(contender, devices) as stage:
                    await stage.start()
                    await stage.ready(count)
                    for number in bench.times(40):
                        name = f"new-{number:05}"
                        path = os.path.join(devices, name)
                        for what, act in (("add", touch), ("remove", os.unlink)):
                            # Changes must not always hit the same moment of a poller's interval.
                            await asyncio.sleep(0.1 + 0.5 * random.random())
                            begin = time.perf_counter()
                            act(path)
                            seconds = await seen(stage, name, what == "add") - begin
                            figure = f"hot plug, {what}, {count} devices"
                            bench.record.add(figure, "ms", contender.name, 1000 * seconds)


async def storm(bench: Bench) -> None:
    """A thousand creations and removals in a second, in turn; the last one is a creation."""
    for count in bench.sizes(10_000):
        for _ in bench.times(5):
            for contender in bench.following():
                with files(count) as devices:
                    async with node(contender, devices) as stage:
                        await stage.start()
                        await stage.ready(count)
                        await asyncio.sleep(0.5)
                        await _one_storm(bench, stage)


async def edge(bench: Bench) -> None:
    """More devices than fit, and then fewer than fit."""
    name = "dev-{:05}" + "x" * 54
    fitting = TOO_MANY // 2
    for contender in bench.following():
        with files(TOO_MANY, name) as devices:
            async with node(contender, devices) as stage:
                await stage.start()
                await stage.registered()
                try:
                    await stage.kubelet.until(lambda: stage.resource.lists > 0, 5.0)
                    listed = len(stage.resource.ids())
                except TimeoutError:
                    listed = 0
                add = bench.record.add
                what = f"4 MiB edge: listed of {TOO_MANY} devices"
                add(what, "devices", contender.name, listed, more=True)
                for number in range(fitting, TOO_MANY):
                    os.unlink(os.path.join(devices, name.format(number)))
                begin = time.perf_counter()
                try:
                    seconds = await stage.listed(fitting) - begin
                except TimeoutError:
                    seconds = NEVER
                what = "4 MiB edge: all listed after half of them have gone"
                add(what, "ms", contender.name, 1000 * seconds)


async def seen(stage: Node, name: str, there: bool) -> float:
    """The time when the list had the device, or no longer had it."""
    encoded = name.encode()
    try:
        return await stage.kubelet.until(
            lambda: (encoded in stage.resource.message) is there, PATIENCE
        )
    except TimeoutError:
        return NEVER


async def _one_storm(bench: Bench, stage: Node) -> None:
    lists, used = stage.resource.lists, cpu(stage.pid)
    last = await asyncio.to_thread(_events, stage.devices)
    expected = set(os.listdir(stage.devices))
    try:
        seen = await stage.kubelet.until(lambda: set(stage.resource.ids()) == expected, PATIENCE)
        converged = seen - last
    except TimeoutError:
        converged = NEVER
    await asyncio.sleep(0.5)  # what it does afterwards counts too
    name, add = stage.contender.name, bench.record.add
    add("storm: converged after the last event", "ms", name, 1000 * converged)
    add("storm: messages", "", name, stage.resource.lists - lists)
    add("storm: CPU", "s", name, cpu(stage.pid) - used)


def _events(devices: str) -> float:
    """Make the storm, and return the time of its last event."""
    begin = time.perf_counter()
    for number in range(STORM):
        if number % 2:
            touch(os.path.join(devices, f"new-{number:05}"))
        else:
            os.unlink(os.path.join(devices, f"dev-{number:05}"))
        time.sleep(max(0.0, begin + (number + 1) / STORM - time.perf_counter()))
    touch(os.path.join(devices, "the-last"))
    return time.perf_counter()
