"""Pods that get devices, and the check of their allocations."""

import json
import os
import random
from itertools import count

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall

from benchmarks.soak.bench import Bench
from benchmarks.soak.devices import CDI, FILE, LOOP, STEADY
from twistdp.errors import CallFailed
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import ContainerAllocateResponse
from twistdp.testing import AdmissionRefused

LIFE = 1.5
"""Seconds that a pod lives on average; a few live many times as long."""
WAITING = 50
"""The most pods that wait for admission, since a kubelet admits one after the other."""


class Pods:
    """Admits pods at a steady rate."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._serial = count()
        self._waiting = 0
        self._ends: dict[str, IDelayedCall] = {}

    async def step(self) -> None:
        """Begin to admit a pod, without waiting for it."""
        if self._waiting >= WAITING:
            self._bench.record.counts["pods not tried"] += 1
            return
        self._waiting += 1
        Deferred.fromCoroutine(self._admit()).addErrback(
            lambda failure: self._bench.problem(f"a pod: {failure.getTraceback()}")
        )

    async def _admit(self) -> None:
        bench, pod = self._bench, f"pod-{next(self._serial)}"
        resource = random.choice([FILE, CDI, LOOP] if bench.numbers else [FILE, CDI])
        ids = None
        if steady := resource != LOOP and random.random() < 0.3:
            ids = random.sample(STEADY, 2)
        begin, mark = bench.now(), bench.mark()
        try:
            answer = await bench.kubelet.allocate(resource, ids=ids, pod=pod)
        except (AdmissionRefused, CallFailed, CancelledError) as error:
            bench.record.counts["pods refused"] += 1
            if steady and bench.calm(mark):
                bench.problem(f"{resource}: a steady device was refused: {error!r}")
            return
        finally:
            self._waiting -= 1
        bench.record.counts["pods admitted"] += 1
        bench.record.latencies["Allocate"].append((bench.now(), bench.now() - begin))
        life = random.expovariate(1 / LIFE)
        self._ends[pod] = bench.reactor.callLater(life, self._end, pod)
        (held,) = (holding.ids for holding in bench.kubelet.pods if holding.pod == pod)
        if complaint := self._wrong(resource, set(held), answer):
            bench.problem(f"{resource}: asked for {held}, got {complaint}")

    def stop(self) -> None:
        """Let the current pods stay for ever."""
        for end in self._ends.values():
            end.cancel()
        self._ends.clear()

    def _end(self, pod: str) -> None:
        del self._ends[pod]
        self._bench.kubelet.release(pod)

    def _wrong(self, resource: str, ids: set[str], answer: ContainerAllocateResponse) -> object:
        """The error in an answer, or None."""
        if resource == LOOP:
            given = {os.path.basename(node.host_path) for node in answer.devices}
        elif resource == FILE:
            given = {os.path.basename(mount.host_path) for mount in answer.mounts}
        else:
            given = {key.removeprefix("SOAK_") for key in answer.envs}
            if missing := {device.name for device in answer.cdi_devices} - self._described():
                return f"CDI names that no file has: {missing}"
            if len(answer.cdi_devices) != len(ids):
                return [device.name for device in answer.cdi_devices]
        return None if given == ids else given

    def _described(self) -> set[str]:
        """The CDI names that a runtime would find now."""
        names = set()
        for name in os.listdir(self._bench.cdi):
            if name.endswith(".json"):
                with open(os.path.join(self._bench.cdi, name), encoding="utf-8") as file:
                    spec = json.load(file)
                names |= {f"{spec['kind']}={device['name']}" for device in spec["devices"]}
        return names
