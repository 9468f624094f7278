"""Kills a plugin's process without a warning while a kubelet uses it."""

import os
import random
import shutil
import tempfile
from itertools import count
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.task import deferLater

from benchmarks.kill.hardware import KINDS, Hardware
from benchmarks.kill.outcome import Outcome
from benchmarks.kill.plugin import ANSWERING, NAMESPACE
from benchmarks.kill.watching import SpecWatch
from twistdp.testing import AdmissionRefused, ChildProcess, FakeKubelet, twistd_command

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BOUND = 20.0
"""Seconds in which a plugin must be registered again."""
MOMENTS = ("starting", "registering", "serving", "writing", "allocating")


class Killing:
    """Kills the process and starts it again while the devices change all the time."""

    def __init__(self, reactor: Any, chance: random.Random) -> None:
        self.outcome = Outcome()
        self._reactor = reactor
        self._random = chance
        self._directory = tempfile.mkdtemp(prefix="kill-")
        self._plugins, self._devices, self._cdi = (
            os.path.join(self._directory, name) for name in ("plugins", "devices", "cdi")
        )
        os.mkdir(self._plugins)
        self._pods = os.path.join(self._directory, "pods.sock")
        self._kubelet = FakeKubelet(
            self._plugins, pod_resources=self._pods, force=True, reactor=reactor
        )
        self._hardware = Hardware(self._devices, chance)
        self._serial = count()
        self._held: dict[str, set[str]] = {}
        self._child: ChildProcess | None = None
        self._start_up = 1.0

    async def run(self, times: int) -> Outcome:
        """Kill the process `times` times; each time a new process must be registered."""
        try:
            with SpecWatch(self._cdi) as specs:
                await self._kubelet.start()
                await self._start()
                for number in range(times):
                    await self._kill(MOMENTS[number % len(MOMENTS)])
                    await self._start()
                    self._look_at_held(specs)
                await self._end()
            self.outcome.reads = specs.reads
            self.outcome.problems += specs.problems
        finally:
            if self._child is not None and not self._child.ended.called:
                self._child.signal("KILL")
                await self._child.ended
            if self._kubelet.running:
                await self._kubelet.stop()
            shutil.rmtree(self._directory)
        return self.outcome

    async def _start(self) -> None:
        """Start a process, and check that the kubelet gets the true list from it."""
        begin = self._reactor.seconds()
        known = len(self._kubelet.registrations)  # its knowledge of the dead one does not count
        self._spawn()
        try:
            await self._kubelet.until(lambda: self._all_listed(known), BOUND)
        except TimeoutError:
            listed = {kind: self._kubelet.devices(_resource(kind)) for kind in KINDS}
            assert self._child is not None
            self.outcome.problems.append(
                f"not registered again: {listed}, should be {self._hardware.there}\n"
                f"{self._child.output}"
            )
        self._start_up = self._reactor.seconds() - begin
        self.outcome.again.append(self._start_up)

    async def _kill(self, moment: str) -> None:
        """Wait for a random moment, kill the process, and continue without it."""
        assert self._child is not None
        if moment == "starting":
            self._child.signal("KILL")
            await self._child.ended
            self._spawn()
            await self._pause(1.1 * self._start_up)
        elif moment == "registering":
            await self._kubelet.restart()
            await self._pause(0.02)
        elif moment == "writing":
            for _ in range(self._random.randint(1, 5)):
                self._hardware.change()
                await self._pause(0.01)
        elif moment == "allocating":
            self._allocate()
            await self._pause(2 * ANSWERING)
        else:
            self._allocate()
            await self._pause(0.1)
        self._child.signal("KILL")
        await self._child.ended
        self.outcome.killed[moment] += 1
        self.outcome.halfway += any(name.startswith(".") for name in _listed(self._cdi))
        for _ in range(self._random.randint(0, 3)):
            self._hardware.change()
        if self._random.random() < 0.2:
            await self._kubelet.restart()

    async def _end(self) -> None:
        """End the process by SIGTERM, and check that nothing is left of it or of killed ones.

        Nor of a type whose devices all vanished while no process was there, once no pod holds one.
        """
        self._hardware.plug(f"{KINDS[-1]}.0")
        await self._kubelet.until(self._all_listed, BOUND)
        assert self._child is not None
        self._child.signal("KILL")
        await self._child.ended
        for id_ in [id_ for id_ in self._hardware.there if id_.startswith(KINDS[-1])]:
            self._hardware.unplug(id_)
        for pod in self._held:
            self._kubelet.release(pod)
        # The process starts while the kubelet does not know its pods, as after a node's boot.
        self._kubelet.api_server = False
        await self._kubelet.restart()
        await self._start()
        self._kubelet.api_server = True
        deadline = self._reactor.seconds() + BOUND
        while self._stale() and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, 0.01)
        self._child.signal("TERM")
        await self._child.ended
        await self._kubelet.stop()
        left = [name for name in os.listdir(self._plugins) if "kubelet" not in name]
        ours = {self._plugins, self._devices, self._cdi, self._pods}
        left += {*_listed(self._directory)} - {os.path.basename(path) for path in ours}
        left += self._stale()
        if left:
            self.outcome.problems.append(f"left over at the end: {left}")

    def _stale(self) -> list[str]:
        """The files in the CDI directory that are no specs of types with a device."""
        types = {id_.split(".")[0] for id_ in self._hardware.there}
        return sorted(
            {*_listed(self._cdi)} - {f"twistdp.{NAMESPACE}_{kind}.json" for kind in types}
        )

    def _spawn(self) -> None:
        command = [*twistd_command(), "-n", "--pidfile=", "deviceplugin"]
        options = [
            *("--scanner=benchmarks.kill.plugin:FileScanner", f"--set=directory={self._devices}"),
            *(f"--plugin-dir={self._plugins}", f"--cdi-dir={self._cdi}"),
            f"--pod-resources-socket={self._pods}",
            f"--status-socket={os.path.join(self._directory, 'status.sock')}",
        ]
        # Twisted forks for another current directory, and gRPC's threads may end a forked child
        # before it becomes the plugin.
        path = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
        self._child = ChildProcess(
            [*command, *options], reactor=self._reactor, env={"PYTHONPATH": path}
        )

    def _all_listed(self, known: int = 0) -> bool:
        """Whether the kubelet has the true list, from registrations after the first `known`."""
        fresh = {one.resource for one in self._kubelet.registrations[known:]}
        return all(
            _resource(kind) in fresh
            and self._kubelet.devices(_resource(kind)).keys() == ids
            and self._kubelet.allocatable(_resource(kind)) == len(ids)
            for kind in KINDS
            if (ids := {id_ for id_ in self._hardware.there if id_.startswith(kind)})
        )

    def _allocate(self) -> None:
        """Admit a pod, which may fail; it keeps its devices for a while."""
        pod = f"pod-{next(self._serial)}"

        async def admit() -> None:
            try:
                kind = self._random.choice(KINDS)
                answer = await self._kubelet.allocate(_resource(kind), pod=pod)
            except (AdmissionRefused, CancelledError):
                return  # it was killed, or all devices are taken
            self._held[pod] = {device.name for device in answer.cdi_devices}

        Deferred.fromCoroutine(admit()).addErrback(
            lambda failure: self.outcome.problems.append(failure.getTraceback())
        )
        if len(self._held) > 2:
            ended = next(iter(self._held))
            del self._held[ended]
            self._kubelet.release(ended)

    def _look_at_held(self, specs: SpecWatch) -> None:
        """Check that the devices of pods are still described, even if they have gone."""
        missing = {name for names in self._held.values() for name in names} - specs.names()
        if missing:
            self.outcome.problems.append(f"held by pods, and described no more: {missing}")

    def _pause(self, most: float) -> Deferred[None]:
        return deferLater(self._reactor, self._random.uniform(0, most))


def _listed(directory: str) -> list[str]:
    return os.listdir(directory) if os.path.exists(directory) else []


def _resource(kind: str) -> str:
    return f"{NAMESPACE}/{kind}"
