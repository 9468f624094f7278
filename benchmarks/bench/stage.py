"""Sets up a contender's node: its directories, its kubelet, its process."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import IO

import attrs

from benchmarks.bench.contenders import Contender
from benchmarks.bench.kubelet import Kubelet, Resource
from benchmarks.bench.record import Record

PATIENCE = 20.0
"""Seconds after which an event counts as never happening."""


@attrs.frozen
class Bench:
    """A whole run: the contenders, the repetitions, and the record.

    `repeats` scales the repetitions; `quick` leaves out the large sizes and the long waits.
    """

    contenders: Sequence[Contender]
    record: Record
    repeats: float = 1.0
    quick: bool = False

    def times(self, number: int) -> range:
        """The repetitions, usually `number` of them."""
        return range(max(1, round(number * self.repeats * (0.2 if self.quick else 1.0))))

    def sizes(self, *sizes: int) -> Sequence[int]:
        """The sizes to measure, the small one first."""
        return sizes[:1] if self.quick else sizes

    def following(self) -> list[Contender]:
        """The contenders that notice changes."""
        return [one for one in self.contenders if one.follows]

    def those_with_many(self) -> list[Contender]:
        """The contenders that can serve many resources."""
        return [one for one in self.contenders if one.many]


class NotReady(Exception):
    """A plugin did not list its devices; the text names it and has its output."""


class Node:
    """One measured plugin process, and its kubelet."""

    def __init__(self, contender: Contender, devices: str) -> None:
        self.contender = contender
        self.devices = devices
        self.begun = 0.0
        """The time when the process was started."""
        self.pid = 0
        self.directory = tempfile.mkdtemp(prefix="bench-")
        plugins, private = (os.path.join(self.directory, name) for name in ("plugins", "kubelet"))
        os.mkdir(plugins)
        os.mkdir(private)
        self.kubelet = Kubelet(plugins, private)
        self._process: asyncio.subprocess.Process | None = None
        self._log: IO[bytes] | None = None

    @property
    def resource(self) -> Resource:
        """The only resource."""
        return next(iter(self.kubelet.resources.values()))

    async def start(self, many: bool = False, answer: int = 0) -> None:
        """Start the process."""
        command = self.contender.command(
            many=many, plugins=self.kubelet.directory, devices=self.devices, answer=answer
        )
        self._log = open(self.log, "wb")  # noqa: SIM115
        self.begun = time.perf_counter()
        self._process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.contender.directory,
            env=self.contender.environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        self.pid = self._process.pid

    @property
    def log(self) -> str:
        """The file of its output."""
        return os.path.join(self.directory, "log")

    async def registered(self) -> float:
        """When the first Register came."""
        await self.kubelet.until(lambda: bool(self.kubelet.resources), PATIENCE)
        return self.resource.registered

    async def listed(self, devices: int, resources: int = 1) -> float:
        """When all was listed: so many resources, with so many devices each."""
        sizes: dict[tuple[str, int], int] = {}

        def size(one: Resource) -> int:
            """Counted once a list: there may be hundreds to look at whenever one comes."""
            key = one.path, one.lists
            if key not in sizes:
                sizes[key] = len(one.ids())
            return sizes[key]

        return await self.kubelet.until(
            lambda: (
                len(self.kubelet.resources) == resources
                and all(
                    one.lists and size(one) == devices for one in self.kubelet.resources.values()
                )
            ),
            PATIENCE,
        )

    async def ready(self, devices: int, resources: int = 1) -> None:
        """As `listed`, for what cannot be measured otherwise; raises `NotReady`."""
        try:
            await self.listed(devices, resources)
        except TimeoutError:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                raise NotReady(
                    f"{self.contender.name}: {resources} resources of {devices} devices were not "
                    f"listed within {PATIENCE:g} s; its output:\n{file.read()}"
                ) from None

    async def close(self) -> None:
        """End it all and leave nothing behind."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 3.0)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        if self._log is not None:
            self._log.close()
        await self.kubelet.stop()
        shutil.rmtree(self.directory)


@asynccontextmanager
async def node(contender: Contender, devices: str) -> AsyncIterator[Node]:
    """A node with its kubelet running, and no process yet."""
    stage = Node(contender, devices)
    try:
        await stage.kubelet.start()
        yield stage
    finally:
        await stage.close()


async def warm_up(contender: Contender) -> None:
    """Start it once, so that no measured start compiles modules or lists twistd's plugins."""
    with files(1) as devices:
        async with node(contender, devices) as stage:
            await stage.start()
            await stage.ready(1)


@contextmanager
def files(count: int, name: str = "dev-{:05}") -> Iterator[str]:
    """A directory with so many devices."""
    with tempfile.TemporaryDirectory(prefix="bench-devices-") as directory:
        for number in range(count):
            touch(os.path.join(directory, name.format(number)))
        yield directory


@contextmanager
def folders(count: int, devices: int) -> Iterator[str]:
    """A directory with so many resources of so many devices each."""
    with tempfile.TemporaryDirectory(prefix="bench-devices-") as directory:
        for number in range(count):
            folder = os.path.join(directory, f"kind-{number:03}")
            os.mkdir(folder)
            for device in range(devices):
                touch(os.path.join(folder, f"dev-{device:05}"))
        yield directory


def touch(path: str) -> None:
    """An empty file."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644))
