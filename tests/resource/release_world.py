"""A node on a clock: pods, a kubelet and a plugin, whose lives go on in random order.

The kubelet answers as a real one was seen to: see the methods.  The world notes who has had which
device, and what the plugin's scanner was called with.
"""

import os
import random
from collections.abc import Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock, deferLater

from twistdp.errors import CallFailed, PeerUnavailable
from twistdp.kubelet.holdings import Holdings
from twistdp.kubelet.podresources import Container, Pod
from twistdp.model import Holder, ReleasedDevices
from twistdp.resource.hooks import Hooks
from twistdp.resource.releases import Releases
from twistdp.resource.tenancies import SETTLED
from twistdp.settings import Settings
from twistdp.status import Kind, events_of

DOMAIN = "x.example"
RESOURCE = f"{DOMAIN}/a"
DEVICES = ("1", "2", "3")
NAMES = ("web-0", "web-1", "job")
NODE = "node-1"


@attrs.define(eq=False)
class Admitted:
    """A pod that the kubelet has admitted, and the devices that its containers have."""

    name: str
    containers: dict[str, set[str]]
    hidden: set[str]
    """Devices of ordinary init containers, which no answer has."""
    ending: bool = False


@attrs.define(eq=False)
class Tenure:
    """One pod has one device, from Allocate until the kubelet takes it back."""

    pod: Admitted
    begin: float
    life: int
    """Which life of the plugin answered Allocate."""
    end: float | None = None
    stopped: float = 0.0
    """When its container has really ended."""
    shown: bool = False
    """Whether the plugin got an answer that has it."""


@attrs.frozen
class Call:
    """A call of post_release that ran to its end."""

    begin: float
    holder: Holder | None


class AtOnce:
    """In place of a thread."""

    def __init__(self, name: str, reactor: Any) -> None:
        pass

    def call(self, function: Any) -> Deferred[Any]:
        """Call it now."""
        return succeed(function())

    def stop(self) -> None:
        """Nothing goes on."""


class World:
    """All of it; `directory` is for the plugin's file."""

    def __init__(self, seed: int, directory: str) -> None:
        self.random = random.Random(seed)
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.events = events_of(self.clock)
        self.settings = Settings(plugin_dir=directory, state_dir=os.path.join(directory, "state"))
        self.history: list[str] = []
        self.tenures: dict[str, list[Tenure]] = {id_: [] for id_ in DEVICES}
        self.calls: dict[str, list[Call]] = {id_: [] for id_ in DEVICES}
        self.pods: list[Admitted] = []
        self.kept: dict[str, Admitted] = {}
        """What the kubelet's file has."""
        self.up = True
        self.static = self.random.choice(("", NODE, "renamed"))
        """The end of the name of a pod of a file, which a kubelet knows without the API server.

        With a name that the plugin does not know the node by, that is not told from others.
        """
        self.others = self.random.choice((True, False))
        """Whether a pod that needs no device always runs, as a DaemonSet's."""
        self.starts = 0
        """How often the kubelet has started."""
        self.knows_at = 0.0
        self.refusing_until = 0.0
        self.life = 0
        self.releases: Releases | None = None

    def note(self, text: str) -> None:
        """For the report of a test that fails."""
        self.history.append(f"{self.clock.seconds() - 1000:8.3f} {text}")

    # The kubelet

    @property
    def knows_pods(self) -> bool:
        """Whether it runs, and knows its pods."""
        return self.up and self.clock.seconds() >= self.knows_at

    def list_pods(self) -> Deferred[Sequence[Pod]]:
        """Answer List: what is true now, delivered a moment later, or an error."""
        now, life = self.clock.seconds(), self.life
        if not self.up:
            return fail(PeerUnavailable("UNAVAILABLE", "nobody listens"))
        if now < self.refusing_until:
            return fail(CallFailed("RESOURCE_EXHAUSTED", "rejected by rate limit"))
        pods = [Pod("kube-system", f"proxy-{self.static}", [])] if self.static else []
        shown: list[tuple[str, Admitted]] = []
        if self.knows_pods:
            if self.others:
                pods.append(Pod("kube-system", "dns-x7k2p", []))
            for pod in self.pods:
                containers = [
                    Container(name, {RESOURCE: frozenset(ids)} if ids else {})
                    for name, ids in pod.containers.items()
                ]
                pods.append(Pod("default", pod.name, containers))
                shown += [(id_, pod) for ids in pod.containers.values() for id_ in ids]
        self.random.shuffle(pods)

        def deliver() -> Sequence[Pod]:
            for id_, pod in shown:
                tenure = self.tenures[id_][-1]
                tenure.shown |= tenure.pod is pod and tenure.begin < now and life == self.life
            return pods

        return deferLater(self.clock, self.random.choice((0.0, 0.002, 0.03, 0.3)), deliver)

    def free(self) -> list[str]:
        """The devices that no pod has."""
        taken = {id_ for pod in self.pods for ids in pod.containers.values() for id_ in ids}
        return [id_ for id_ in DEVICES if id_ not in taken.union(*(p.hidden for p in self.pods))]

    def write(self) -> None:
        """Write the file: those that have devices, as the kubelet's memory has them."""
        if self.knows_pods:
            self.kept = {id_: kept for id_, kept in self.kept.items() if kept in self.pods}

    def admit(self) -> None:
        """A pod comes: Allocate for one container after the other."""
        names = [n for n in NAMES if all(pod.name != n for pod in self.pods)]
        free = self.free()
        if not (self.knows_pods and self.releases and names and free):
            return
        pod = Admitted(self.random.choice(names), {"main": set()}, set())
        self.pods.append(pod)
        kind = self.random.choice(("main", "main", "main", "two", "init", "reused", "refused"))
        ids = self.random.sample(free, self.random.randint(1, len(free)))
        self.note(f"{kind} pod {pod.name} gets {ids}")
        if kind in ("init", "reused"):
            pod.hidden.update(ids)
            self.give(pod, ids, None)
        if kind == "two" and len(ids) > 1:
            pod.containers["side"] = set()
            self.give(pod, ids[:1], "side")
            self.clock.advance(self.random.choice((0.01, 0.2)))
            ids = ids[1:]
        if kind in ("main", "two", "reused"):
            self.give(pod, ids, "main")
        if kind == "refused":
            self.give(pod, ids, None)
            self.forget(pod)

    def give(self, pod: Admitted, ids: list[str], container: str | None) -> None:
        """Allocate for one container, which a kubelet lists a moment later."""
        now = self.clock.seconds()
        self.write()
        for id_ in ids:
            if not (self.tenures[id_] and self.tenures[id_][-1].pod is pod):
                self.tenures[id_].append(Tenure(pod, now, self.life))
        self.events.emit(Kind.ALLOCATED, resource=RESOURCE, ids=[ids])
        self.clock.advance(self.random.choice((0.0, 0.005, 0.02)))
        self.kept.update(dict.fromkeys(ids, pod))
        if container is not None:
            pod.hidden.difference_update(ids)
            pod.containers[container].update(ids)

    def end(self) -> None:
        """A pod ends: it is listed for a second more, or for none if it is deleted by force."""
        pods = [pod for pod in self.pods if not pod.ending]
        if pods:
            pod = self.random.choice(pods)
            pod.ending = True
            delay = self.random.choice((0.0, 0.7, 1.7))
            self.note(f"pod {pod.name} ends in {delay}")
            # The container of one that is deleted by force runs on for a while.
            self.clock.callLater(delay, self.forget, pod, 0.0 if delay else 1.5)

    def forget(self, pod: Admitted, runs_on: float = 0.0) -> None:
        """The kubelet takes the devices of a pod back."""
        self.pods.remove(pod)
        for id_, tenures in self.tenures.items():
            if tenures and tenures[-1].pod is pod:
                self.note(f"pod {pod.name} is gone, and {id_} free")
                tenures[-1].end = self.clock.seconds()
                tenures[-1].stopped = self.clock.seconds() + runs_on

    def restart_kubelet(self) -> None:
        """It stops and starts; then it lists no pods, or those of files, for a second or more."""
        if not self.up:
            return
        self.up = False
        ends, begins = self.random.choice(((True, True), (True, False), (False, True)))
        self.note(f"the kubelet stops; the plugin sees its {ends and 'end'} {begins and 'start'}")
        if ends:
            self.events.emit(Kind.STREAM_ENDED, resource=RESOURCE, kubelets=True)
        away = self.random.choice((0.01, 0.3, 1.0, 4.0))
        self.clock.callLater(away, self.start_kubelet, begins)

    def start_kubelet(self, noticed: bool) -> None:
        """It answers, and knows its pods later."""
        self.up = True
        self.starts += 1
        later = (8.0,) if self.static == "renamed" else (12.0, 40.0)
        self.knows_at = self.clock.seconds() + self.random.choice((0.87, 0.98, *later))
        self.note(f"the kubelet starts, and knows its pods in {self.knows_at - 1000:.3f}")
        self.clock.callLater(self.random.choice((0.0, 0.05)), self.register, noticed)

    def register(self, noticed: bool) -> None:
        """The plugin registers, mostly since it sees the new kubelet."""
        if noticed:
            self.events.emit(Kind.KUBELET_APPEARED, directory=self.settings.plugin_dir)
        self.events.emit(Kind.REGISTERED, resource=RESOURCE)
        self.write()

    def refuse(self) -> None:
        """Others ask the kubelet too often."""
        self.refusing_until = self.clock.seconds() + self.random.uniform(0.1, 3.0)
        self.note("the kubelet refuses calls")

    # The plugin

    def start_plugin(self) -> None:
        """The next life of the plugin."""
        if self.releases is not None:
            return
        self.life += 1
        self.note(f"the plugin starts its life {self.life}")
        self.holdings = Holdings(
            self.list_pods, self.clock, nodes=[NODE], kubelet=lambda: self.starts
        )
        resource = Stub()
        hooks = Hooks(self, "x:Y", self.clock)
        self.releases = Releases(DOMAIN, {"a": resource}, hooks, self.settings, self.clock)  # type: ignore[dict-item]
        self.releases._checkpoint = self  # type: ignore[assignment]
        self.releases.startService()
        self.events.emit(Kind.REGISTERED, resource=RESOURCE)
        self.write()

    def stop_plugin(self) -> None:
        """It ends, or is killed, and starts again later."""
        if self.releases is None:
            return
        releases, self.releases = self.releases, None
        killed = self.random.random() < 0.5
        self.note(f"the plugin {'is killed' if killed else 'stops'}")
        if killed:
            releases._baseline.write = lambda *_: None  # type: ignore[method-assign]
        self.life += 1
        releases.stopService()
        self.clock.callLater(self.random.choice((0.2, 3.0, 30.0)), self.start_plugin)

    def kept_ids(self) -> frozenset[tuple[str, str]] | None:
        """See `twistdp.kubelet.Checkpoint`."""
        return frozenset((RESOURCE, id_) for id_ in self.kept)

    def post_release(self, devices: ReleasedDevices, pod: Holder | None) -> Any:
        """The scanner's hook: quick, slow, or one that fails."""
        life, begin = self.life, self.clock.seconds()

        def over(result: Any) -> Any:
            if life == self.life:
                self.note(f"post_release of {devices.devices_ids} for {pod} has ended")
                for id_ in devices.devices_ids:
                    self.calls[id_].append(Call(begin, pod))
            return result

        how = self.random.randrange(8)
        if how == 0:
            return deferLater(self.clock, 1.5).addCallbacks(over)
        over(None)
        if how == 1:
            raise ZeroDivisionError("it fails")
        return None

    # All

    def play(self, steps: int) -> None:
        """Let things happen; in the end all pods go, and time passes."""
        self.start_plugin()
        actions = [self.admit] * 6 + [self.end] * 4
        actions += [self.restart_kubelet, self.stop_plugin, self.refuse]
        for _ in range(steps):
            self.random.choice(actions)()
            self.pass_time(self.random.choice((0.0, 0.01, 0.1, 1.0, 3.0, 15.0)))
        self.note("the end begins")
        self.pass_time(90.0)
        # A kubelet that has listed no pod since it started, or the plugin did, may not know them.
        self.others |= not self.pods
        while any(not pod.ending for pod in self.pods):
            self.end()
        self.pass_time(5.0)
        self.write()
        self.pass_time(90.0)

    def pass_time(self, seconds: float) -> None:
        """Go on in small steps, as long as something is due."""
        end = self.clock.seconds() + seconds
        while (calls := self.clock.getDelayedCalls()) and calls[0].getTime() <= end:
            self.clock.advance(max(0.0, calls[0].getTime() - self.clock.seconds()))
        self.clock.advance(max(0.0, end - self.clock.seconds()))

    def violations(self) -> list[str]:
        """What is wrong with the calls of post_release: exactly one for each tenure.

        Calls of one device may overlap, and one that was interrupted is made again.
        """
        found = []
        for id_, tenures in self.tenures.items():
            expected = []
            for tenure, after in zip(tenures, [*tenures[1:], None], strict=False):
                merged = (
                    after is not None
                    and not tenure.shown
                    and tenure.life == after.life
                    and after.begin - tenure.begin < SETTLED
                )
                if not merged:
                    expected.append(tenure)
            calls = sorted(self.calls[id_], key=lambda call: call.begin)
            for tenure in expected:
                names = {tenure.pod.name, tenure.pod.name if tenure.shown else None}
                ours = [call for call in calls if (call.holder and call.holder.pod) in names]
                if not ours:
                    found.append(f"device {id_}: no call for {tenure.pod.name}")
                    continue
                calls.remove(ours[0])
                begin = ours[0].begin
                others = any(tenure.begin < other.begin <= begin for other in tenures)
                if tenure.end is None or begin < (tenure.end if others else tenure.stopped):
                    found.append(f"device {id_}: reported while {tenure.pod.name} has it")
            found += [f"device {id_}: one call too many for {call.holder}" for call in calls]
        return found


class Stub:
    """A resource whose devices are all gone."""

    @property
    def inventory(self) -> "Stub":
        """It knows none."""
        return self

    def known(self, ids: object) -> dict[str, Any]:
        """None."""
        return {}
