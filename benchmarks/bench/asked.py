"""Measures what it costs a plugin to be asked over HTTP."""

import asyncio
import os
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs

from benchmarks.bench.contenders import HERE, OURS, Contender
from benchmarks.bench.following import seen
from benchmarks.bench.process import cpu, footprint
from benchmarks.bench.stage import Bench, Node, files, node, touch

SCRAPES, STREAMS = 100, 50
"""Requests of the metrics in a second, and event streams."""

SOCKET = "{plugins}/asked.socket"


async def asked(bench: Bench) -> None:
    """Hot plug of one plugin alone and asked, in turn; and memory, before and after."""
    for count in bench.sizes(100, 10_000):
        for contender in bench.contenders:
            if contender.name == OURS:
                with files(count) as devices:
                    await _memory(bench, contender, devices, count)
                    await _hot_plug(bench, contender, devices, count)


def _listening(contender: Contender, *options: str) -> Contender:
    return attrs.evolve(contender, single=[*contender.single, *options])


async def _memory(bench: Bench, contender: Contender, devices: str, count: int) -> None:
    """Whether it listens, and whether it is asked."""
    socket = SOCKET.removesuffix("et")
    for what, options in (
        ("without HTTP", ["--status-socket="]),
        ("with the usual socket", [f"--status-socket={socket}"]),
        ("with --http", ["--status-socket=", f"--http=unix:{SOCKET}"]),
    ):
        async with node(_listening(contender, *options), devices) as stage:
            await stage.start()
            await stage.ready(count)
            await asyncio.sleep(1.0)
            figure = f"RSS, {count} devices, {what}"
            bench.record.add(figure, "MB", OURS, footprint(stage.pid).rss)
            if what != "without HTTP":
                path = SOCKET if "--http" in what else socket
                await _first(bench, stage, path.format(plugins=stage.kubelet.directory), what)
                figure = f"RSS, {count} devices, {what}, asked"
                bench.record.add(figure, "MB", OURS, footprint(stage.pid).rss)


async def _first(bench: Bench, stage: Node, socket: str, what: str) -> None:
    """The first answer, which loads what answers, and one of each kind."""
    for path in ("livez", "metrics", "api/v1/state"):
        begin = time.perf_counter()
        reader, writer = await asyncio.open_unix_connection(socket)
        writer.write(f"GET /{path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.0 200"), answer
        writer.close()
        figure = f"first answer to /{path}, {len(stage.resource.ids())} devices, {what}"
        bench.record.add(figure, "ms", OURS, 1000 * (time.perf_counter() - begin))


async def _hot_plug(bench: Bench, contender: Contender, devices: str, count: int) -> None:
    options = ["--status-socket=", f"--http=unix:{SOCKET}"]
    async with node(_listening(contender, *options), devices) as stage:
        await stage.start()
        await stage.ready(count)
        socket = SOCKET.format(plugins=stage.kubelet.directory)
        for _ in bench.times(5):
            await _some(bench, stage, f"{count} devices, alone")
            async with _asking(socket):
                begin, used = time.perf_counter(), cpu(stage.pid)
                await _some(bench, stage, f"{count} devices, asked")
                share = (cpu(stage.pid) - used) / (time.perf_counter() - begin)
                bench.record.add(f"CPU while asked, {count} devices", "%", OURS, 100 * share)


async def _some(bench: Bench, stage: Node, what: str) -> None:
    for number in bench.times(10):
        name = f"new-{number:05}"
        path = os.path.join(stage.devices, name)
        for act, verb in ((touch, "add"), (os.unlink, "remove")):
            await asyncio.sleep(0.1 + 0.2 * random.random())
            begin = time.perf_counter()
            act(path)
            seconds = await seen(stage, name, verb == "add") - begin
            bench.record.add(f"hot plug, {verb}, {what}", "ms", OURS, 1000 * seconds)


@asynccontextmanager
async def _asking(socket: str) -> AsyncIterator[None]:
    """A process that asks all the time."""
    pipe = asyncio.subprocess.PIPE
    program = os.path.join(HERE, "asking.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, program, socket, str(SCRAPES), str(STREAMS), stdin=pipe, stdout=pipe
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        if await process.stdout.readline() != b"open\n":
            raise RuntimeError("the streams cannot be opened")
        yield
    finally:
        process.stdin.close()
        await process.wait()
    if process.returncode:
        raise RuntimeError("asking has failed")
