"""The node of a soak: an emulated kubelet in this process, the plugin in another."""

import glob
import os
import random
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.task import deferLater

from benchmarks.soak.plugin import NAMESPACE
from benchmarks.soak.record import Record
from twistdp.testing import ChildProcess, FakeKubelet, loopdevices, twistd_command

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LOOPS = 3
"""The number of loop devices that come and go."""


class Bench:
    """Directories, kubelet, plugin, and the record of them.

    `loops_from` is the number from which on loop devices may be added, None for none.  `pace` is
    how many times as much happens as usual.
    """

    def __init__(self, reactor: Any, loops_from: int | None, pace: float = 1.0) -> None:
        self.reactor = reactor
        self.record = Record(pace)
        self.begin = reactor.seconds()
        self.ending = False
        self._closing = False
        self._disturbances = self._disturbing = 0
        self.directory = tempfile.mkdtemp(prefix="soak-")
        self.plugins = self._directory("plugins")
        self.files = self._directory("files")
        self.contents = self._directory("contents")
        self.cdi = os.path.join(self.directory, "cdi")
        self.log = os.path.join(self.directory, "plugin.log")
        self.view = os.path.join(self.directory, "view.json")
        self.numbers: list[int] = []
        while loops_from is not None and len(self.numbers) < LOOPS:
            self.numbers.append(loopdevices.free_number(max([loops_from - 1, *self.numbers]) + 1))
        pods = os.path.join(self.directory, "pods.sock")
        self.kubelet = FakeKubelet(self.plugins, pod_resources=pods, force=True, reactor=reactor)
        self.plugin: ChildProcess | None = None
        self._pods = pods

    def start_plugin(self) -> ChildProcess:
        """Start the process."""
        glob = "--scanner=twistdp.scanners:GlobScanner"
        options = [
            *(glob, "--set=resource=file", f"--set=pattern={self.files}/*"),
            *("--set=nodes_only=false", f"--namespace={NAMESPACE}"),
            *("--scanner=benchmarks.soak.plugin:CdiScanner", f"--set=directory={self.contents}"),
            *("--scanner=benchmarks.soak.plugin:Probe", f"--set=path={self.view}"),
        ]
        if self.numbers:
            pattern = ",".join(f"/dev/loop{number}" for number in self.numbers)
            options += [glob, "--set=resource=loop", f"--set=pattern={pattern}"]
            options += [f"--namespace={NAMESPACE}"]
        directories = [
            *(f"--plugin-dir={self.plugins}", f"--cdi-dir={self.cdi}"),
            f"--pod-resources-socket={self._pods}",
            f"--status-socket={os.path.join(os.path.dirname(self._pods), 'status.sock')}",
        ]
        command = [*twistd_command(), "-n", "--pidfile=", f"--logfile={self.log}", "deviceplugin"]
        self.plugin = ChildProcess(
            [*command, *options, *directories], reactor=self.reactor, path=ROOT
        )
        self.plugin.ended.addCallback(self._ended)
        return self.plugin

    async def close(self) -> None:
        """End the plugin by SIGTERM, and the kubelet; files that are left are a problem."""
        self._closing = True
        if self.plugin is not None and not self.plugin.ended.called:
            begin = self.reactor.seconds()
            self.plugin.signal("TERM")
            await self.plugin.ended
            if (took := self.reactor.seconds() - begin) > 2.0:
                self.problem(f"the plugin needed {took:.1f} s to end")
        if self.kubelet.running:
            await self.kubelet.stop()
        left = [name for name in os.listdir(self.plugins) if "kubelet" not in name]
        left += glob.glob(os.path.join(self.cdi, ".*"))
        if left:
            self.problem(f"left over after the end: {left}")
        for number in self.numbers:
            with suppress(OSError):
                loopdevices.remove(number)

    def remove(self) -> None:
        """Remove the directories."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def now(self) -> float:
        """Seconds since the beginning."""
        return float(self.reactor.seconds() - self.begin)

    def problem(self, text: str) -> None:
        """Record a problem."""
        self.record.problems.append(f"{self.now():.1f} s: {text}")

    def pause(self, seconds: float) -> Deferred[None]:
        """Wait for about that many seconds."""
        return deferLater(self.reactor, seconds * random.uniform(0.5, 1.5))

    def forever(self, step: Callable[[], Awaitable[Any]], interval: float) -> Deferred[None]:
        """Take a step every `interval` seconds or so, at the usual pace; fires at the end."""

        async def loop() -> None:
            while not self.ending:
                await step()
                await self.pause(interval / self.record.pace)

        return Deferred.fromCoroutine(loop()).addErrback(
            lambda failure: self.problem(f"the soak itself failed: {failure.getTraceback()}")
        )

    @contextmanager
    def disturbance(self) -> Iterator[None]:
        """While the block runs, calls may fail and lists may be late for a good reason."""
        self._disturbances += 1
        self._disturbing += 1
        try:
            yield
        finally:
            self._disturbing -= 1

    def mark(self) -> int:
        """A mark for `calm`."""
        return -1 if self._disturbing else self._disturbances

    def calm(self, mark: int) -> bool:
        """Whether there has been no disturbance since `mark`, and none at that time."""
        return mark == self._disturbances and not self._disturbing

    async def listed(self, resource: str, devices: Mapping[str, str], what: str) -> None:
        """Check that the kubelet gets exactly these devices with their health; record the time."""
        begin, mark = self.now(), self.mark()
        wanted = dict(devices)
        try:
            await self.kubelet.until(
                lambda: (
                    self.kubelet.devices(resource) == wanted
                    and (not wanted or self.kubelet.resources[resource].connected)
                ),
                30.0,
            )
        except TimeoutError:
            self.problem(
                f"{resource}: the state is lost: listed {self.kubelet.devices(resource)}, "
                f"should be {wanted}"
            )
            return
        self.record.counts[what] += 1
        if self.calm(mark):
            self.record.latencies[what].append((self.now(), self.now() - begin))

    def _directory(self, name: str) -> str:
        path = os.path.join(self.directory, name)
        os.mkdir(path)
        return path

    def _ended(self, status: int) -> int:
        if not self._closing:
            assert self.plugin is not None
            self.problem(f"the plugin has ended with {status}: {self.plugin.output}")
        return status
