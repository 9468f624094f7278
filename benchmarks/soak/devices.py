"""Devices that come, go and change; each change is followed to the kubelet's list."""

import os
import random
from itertools import count

from twisted.internet.defer import CancelledError
from twisted.internet.threads import deferToThread

from benchmarks.soak.bench import Bench
from benchmarks.soak.plugin import NAMESPACE
from twistdp import HEALTHY, UNHEALTHY
from twistdp.testing import AdmissionRefused, loopdevices

FILE, CDI, LOOP = (f"{NAMESPACE}/{kind}" for kind in ("file", "cdi", "loop"))
STEADY = ("steady-0", "steady-1", "steady-2", "steady-3")
"""Ids of FILE and CDI that are always listed."""
MOST = 40


class Files:
    """Plain files with new names each time."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._serial = count()
        self._expected = dict.fromkeys(STEADY, HEALTHY)
        for name in STEADY:
            self._make(name)

    async def step(self) -> None:
        """One file, or a burst of them."""
        going = [id_ for id_ in self._expected if id_ not in STEADY]
        burst = random.random() < 0.1
        number = random.randint(5, 20) if burst else 1
        if len(going) >= number and (len(going) > MOST or random.random() < 0.5):
            for name in random.sample(going, number):
                os.unlink(os.path.join(self._bench.files, name))
                del self._expected[name]
        else:
            for name in (f"file-{next(self._serial)}" for _ in range(number)):
                self._make(name)
                self._expected[name] = HEALTHY
        what = "burst of files" if burst else "file"
        await self._bench.listed(FILE, self._expected, what)

    async def settled(self) -> None:
        """Check that the kubelet has the last state."""
        await self._bench.listed(FILE, self._expected, "last state")

    def _make(self, name: str) -> None:
        with open(os.path.join(self._bench.files, name), "w", encoding="ascii"):
            pass


class Contents:
    """Files whose content a container gets; an empty one is an unhealthy device."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._serial = count()
        self._expected = dict.fromkeys(STEADY, HEALTHY)
        self._names = [f"part-{number}" for number in range(8)]
        for name in STEADY:
            self._write(name, name)

    async def step(self) -> None:
        """Let a device come, go, become unhealthy, or become another one under its name."""
        name = random.choice(self._names)
        chance = random.random()
        if name in self._expected and chance < 0.2:
            os.unlink(os.path.join(self._bench.contents, name))
            del self._expected[name]
            await self._bench.listed(CDI, self._expected, "device with CDI")
        elif chance < 0.4:
            self._write(name, "")
            self._expected[name] = UNHEALTHY
            await self._bench.listed(CDI, self._expected, "health")
        else:
            content = f"version-{next(self._serial)}"
            self._write(name, content)
            if self._expected.get(name) != HEALTHY:
                self._expected[name] = HEALTHY
                await self._bench.listed(CDI, self._expected, "health")
            await self._given(name, content)

    async def settled(self) -> None:
        """Check that the kubelet has the last state."""
        await self._bench.listed(CDI, self._expected, "last state")

    async def _given(self, name: str, content: str) -> None:
        """Check that a pod soon gets the newest content."""
        bench = self._bench
        begin, mark = bench.now(), bench.mark()
        value = None
        while bench.now() - begin < 30.0:
            try:
                answer = await bench.kubelet.allocate(CDI, ids=[name], pod="reader")
                value = answer.envs[f"SOAK_{name}"]
            except (AdmissionRefused, CancelledError):
                await bench.pause(0.05)
            finally:
                bench.kubelet.release("reader")
            if value == content:
                if bench.calm(mark):
                    bench.record.latencies["content to a pod"].append(
                        (bench.now(), bench.now() - begin)
                    )
                return
        bench.problem(f"{name}: a pod gets {value!r}, not {content!r}")

    def _write(self, name: str, content: str) -> None:
        # Write it elsewhere first, so that nobody reads half of it.
        new = os.path.join(self._bench.directory, "new")
        with open(new, "w", encoding="ascii") as file:
            file.write(content)
        os.replace(new, os.path.join(self._bench.contents, name))


class Loops:
    """Real device nodes."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._there: set[int] = set()

    async def step(self) -> None:
        """Let a device come or go."""
        number = random.choice(self._bench.numbers)
        if number in self._there:
            self._there.remove(number)
            # In a thread, since the kernel takes 40 ms.
            removed = deferToThread(loopdevices.remove, number)
            await self._listed("loop device removed")
            await removed
        else:
            loopdevices.add(number)
            self._there.add(number)
            await self._listed("loop device")

    async def _listed(self, what: str) -> None:
        ids = dict.fromkeys((f"loop{number}" for number in self._there), HEALTHY)
        await self._bench.listed(LOOP, ids, what)
