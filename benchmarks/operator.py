"""``python -m benchmarks.operator``: what the operator costs in a large cluster.

The operator is a process of its own, as it is in a pod.  The cluster is the fake API server in
this process: nodes with devices of five plugins each, a pod for each of those, and nobody else.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater

from benchmarks.bench.process import cpu, footprint
from twistdp.cli.running import run_on_reactor
from twistdp.crds import crd
from twistdp.testing.apiserver import ApiServer

NAMESPACE = "twistdp-system"
DOMAIN = "lab.example.com"
ON_A_NODE = 5
"""Plugins whose devices a node has."""

QUIET = 8.0
"""Seconds without a request after which a phase is over; statuses are written every five."""

BUSY = 0.05
"""Seconds of CPU time in a quarter of a second that are work."""

AT_ONCE = 20
"""Changes of the cluster until requests are answered again."""

SIZES = ((250, 1250), (1000, 5000))


@attrs.frozen
class Cost:
    """What a phase cost: seconds until the last request, and of the operator's CPU time."""

    name: str
    seconds: float
    cpu: float
    requests: int
    rss: float
    verbs: str


class _Output(ProcessProtocol):
    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()

    def outReceived(self, data: bytes) -> None:
        pass

    def errReceived(self, data: bytes) -> None:
        sys.stderr.write(data.decode(errors="replace"))

    def processEnded(self, _: Any) -> None:
        self.ended.callback(None)


class Benchmark:
    """A cluster of one size, and the operator in it."""

    def __init__(
        self,
        reactor: Any,
        plugins: int,
        nodes: int,
        rest: float = 60.0,
        interval: float = 5.0,
        write: Callable[[str], object] = print,
    ) -> None:
        self.reactor = reactor
        self._rest, self._interval, self._write = rest, interval, write
        self.plugins, self.nodes = plugins, nodes
        self.server = ApiServer(garbage=False, reactor=reactor)
        self.objects = self.server.objects
        self.costs: list[Cost] = []
        self._directory = tempfile.mkdtemp(prefix="tdp-operator-")
        self._output = _Output()
        self._process: Any = None

    async def run(self) -> list[Cost]:
        """Go through the phases."""
        await self.server.start()
        self.objects.create(_object("v1", "Namespace", NAMESPACE))
        self.objects.create(crd())
        for number in range(self.nodes):
            self._node(number)
        for number in range(self.plugins):
            self._plugin(number)
        try:
            await self._phase("start in a new cluster", self._start())
            await self._phase("all pods become ready", self._roll_out())
            await self._kill()
            await self._phase("start in a running cluster", self._start())
            await self._phase("one image is edited", self._edit("image", "x:2"))
            await self._phase("one configuration is edited", self._edit("config", _config(0, "*")))
            await self._phase("a device of one node fails", self._fail(range(1)))
            await self._phase("every node reports that it lives", self._heartbeats())
            await self._phase(
                "devices of a tenth of the nodes fail",
                self._fail(range(self.nodes // 10, self.nodes // 5)),
            )
            await self._phase("a minute without changes", iter(()), self._rest)
        finally:
            await self._kill()
            await self.server.stop()
        return self.costs

    async def _phase(
        self, name: str, steps: Iterator[object], quiet_for: float | None = None
    ) -> None:
        self.server.counts.clear()
        before = cpu(self._process.pid) if self._process else 0.0
        began = last = time.monotonic()
        for number, _ in enumerate(steps):
            if number % AT_ONCE == 0:
                await deferLater(self.reactor, 0, lambda: None)
        known = self._requests()
        busy, quiet = 0.0, time.monotonic()
        while time.monotonic() - quiet < (quiet_for or QUIET) or not self._is_watching():
            await deferLater(self.reactor, 0.25, lambda: None)
            requests, used = self._requests(), cpu(self._process.pid)
            if requests != known:
                last = time.monotonic()
            if requests != known or used - busy > BUSY:
                quiet = time.monotonic()
            known, busy = requests, used
        pid = self._process.pid
        verbs = sorted(
            f"{count} {verb} {kind}"
            for (verb, kind), count in self.server.counts.items()
            if verb not in ("list", "watch", "get")
        )
        cost = Cost(
            name, last - began, cpu(pid) - before, known, footprint(pid).rss, ", ".join(verbs)
        )
        self.costs.append(cost)
        self._write(_row(cost))

    def _requests(self) -> int:
        """All that was asked, but for watches, which end and begin by the clock."""
        return sum(count for (verb, _), count in self.server.counts.items() if verb != "watch")

    def _is_watching(self) -> bool:
        return {"deviceplugins", "nodes", "pods"} <= set(self.server.watching)

    # The operator

    def _start(self) -> Iterator[object]:
        file = os.path.join(self._directory, "kubeconfig")
        with open(file, "w", encoding="utf-8") as config:
            config.write(self.server.kubeconfig())
        twistd = os.path.join(os.path.dirname(sys.executable), "twistd")
        arguments = [
            *(sys.executable, twistd, "-n", "--pidfile=", "deviceplugin-operator"),
            *(f"--kubeconfig={file}", f"--namespace={NAMESPACE}", "--plugin-image=x:1"),
            f"--status-interval={self._interval:g}",
        ]
        self._output = _Output()
        environment = {"PATH": os.environ["PATH"]}
        self._process = self.reactor.spawnProcess(
            self._output, sys.executable, arguments, environment
        )
        yield self._process

    async def _kill(self) -> None:
        if self._process is not None:
            try:
                self._process.signalProcess(signal.SIGKILL)
                await self._output.ended
            except ProcessExitedAlready:
                pass
            self._process = None

    # The cluster

    def _node(self, number: int, failed: int = 0) -> None:
        status = {}
        for which, healthy in (("capacity", 0), ("allocatable", failed)):
            status[which] = {
                "cpu": "8",
                **{f"{DOMAIN}/r{plugin}": f"{4 - healthy}" for plugin in self._on(number)},
            }
        name = f"node-{number}"
        if failed:
            self.objects.patch("nodes", name, {"status": status}, subresource="status")
        else:
            self.objects.create({**_object("v1", "Node", name), "status": status})

    def _on(self, node: int) -> list[int]:
        """The plugins of a node."""
        return [(node * ON_A_NODE + each) % self.plugins for each in range(ON_A_NODE)]

    def _plugin(self, number: int) -> None:
        found = _object("twistdp.io/v1alpha1", "DevicePlugin", f"p{number}")
        self.objects.create({**found, "spec": {"config": _config(number)}})

    def _roll_out(self) -> Iterator[object]:
        for node in range(self.nodes):
            for plugin in self._on(node):
                self._pod(plugin, node)
                yield None
        count = self.nodes * ON_A_NODE // self.plugins
        for number in range(self.plugins):
            found = self.objects.get("daemonsets", f"p{number}", NAMESPACE)
            names = ("desiredNumberScheduled", "numberReady", "numberAvailable")
            status = {
                **dict.fromkeys(
                    (*names, "updatedNumberScheduled", "currentNumberScheduled"), count
                ),
                "numberMisscheduled": 0,
                "observedGeneration": found["metadata"]["generation"],
            }
            yield self.objects.patch(
                "daemonsets", f"p{number}", {"status": status}, NAMESPACE, subresource="status"
            )

    def _pod(self, plugin: int, node: int) -> None:
        pod = _object("v1", "Pod", f"p{plugin}-{node}")
        labels = {"twistdp.io/deviceplugin": f"p{plugin}", "controller-revision-hash": "1"}
        pod["metadata"] |= {"namespace": NAMESPACE, "labels": labels}
        containers = [{"name": "deviceplugin", "image": "x:1"}]
        self.objects.create({**pod, "spec": {"nodeName": f"node-{node}", "containers": containers}})
        ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        name = f"p{plugin}-{node}"
        self.objects.patch("pods", name, {"status": ready}, NAMESPACE, subresource="status")

    def _edit(self, key: str, value: Any) -> Iterator[object]:
        yield self.objects.patch("deviceplugins", "p0", {"spec": {key: value}})

    def _fail(self, nodes: range) -> Iterator[object]:
        for node in nodes:
            self._node(node, failed=1)
            yield None

    def _heartbeats(self) -> Iterator[object]:
        for number in range(self.nodes):
            conditions = [
                {"type": "Ready", "status": "True", "lastHeartbeatTime": f"{time.time()}"}
            ]
            patch = {"status": {"conditions": conditions}}
            yield self.objects.patch("nodes", f"node-{number}", patch, subresource="status")


def _config(number: int, suffix: str = "") -> dict[str, Any]:
    return {"domain": DOMAIN, "resources": {f"r{number}": f"/dev/r{number}-[0-3]{suffix}"}}


def _object(version: str, kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}


def _row(cost: Cost) -> str:
    return (
        f"| {cost.name} | {cost.requests} | {cost.cpu:.2f} s | {cost.seconds:.1f} s | "
        f"{cost.rss:.0f} MB | {cost.verbs} |"
    )


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="benchmarks.operator", description=__doc__)
    parser.add_argument("--plugins", type=int, default=0, help="one size only; with --nodes")
    parser.add_argument("--nodes", type=int, default=0)
    arguments = parser.parse_args()
    sizes = [(arguments.plugins, arguments.nodes)] if arguments.plugins else SIZES

    async def run(reactor: Any) -> int:
        for plugins, nodes in sizes:
            print(f"{plugins} DevicePlugins, {nodes} nodes")
            print("| what happens | requests | CPU | last request after | memory | which |")
            print("|---|---:|---:|---:|---:|---|")
            await Benchmark(reactor, plugins, nodes).run()
        return 0

    return run_on_reactor(run)


if __name__ == "__main__":
    sys.exit(main())
