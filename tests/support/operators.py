"""A reconciler with the fake API server, and what a test does in place of the rest of a cluster."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from twistdp.crds import crd
from twistdp.operator.api import FIELD_MANAGER, ApiError, Document, IApi, IObserver, Unreachable
from twistdp.operator.kinds import Kind, kind_of
from twistdp.operator.reconciler import WATCHED, Reconciler
from twistdp.operator.settings import OperatorSettings
from twistdp.testing.apiserver import ApiCall, ApiServer
from twistdp.testing.apiserver.api import Visit
from twistdp.testing.apiserver.calls import Answer, Asked
from twistdp.testing.apiserver.watches import Watch

NAMESPACE = "twistdp-system"
IMAGE = "registry.example.com/twistdp:1"
DOMAIN = "lab.example.com"
CONFIG = {"domain": DOMAIN, "resources": {"kvm": "/dev/kvm"}}
STATUS = "apply deviceplugins/gpus/status"
FOUND = "get deviceplugins/gpus"
SET = "apply daemonsets/gpus"
ACCOUNT = "apply serviceaccounts/gpus"
SLICE = 0.05
"""Seconds that the clock takes at once."""


@implementer(IApi)
class MemoryApi:
    """A client without a network: a request is obeyed `latency` seconds after it was made.

    Its answer comes after as long again.  With `away`, nobody can be reached.
    """

    def __init__(self, server: ApiServer, clock: Clock, latency: float = 0.01) -> None:
        self._server = server
        self._clock = clock
        self.latency = latency
        self.away = False
        self.fatal = 0
        """The request with which the operator is killed; 0 for none."""
        self.obeyed = True
        """Whether that request is obeyed before."""
        self.killed = False
        self.made = 0

    def apply(self, document: Mapping[str, Any]) -> Deferred[Document]:
        """See `IApi`."""
        return self._apply(document)

    def apply_status(self, document: Mapping[str, Any]) -> Deferred[Document]:
        """See `IApi`."""
        return self._apply(document, "status")

    def _apply(self, document: Mapping[str, Any], subresource: str = "") -> Deferred[Document]:
        path = _path(document, subresource)
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return self._ask("PATCH", path, document, "application/apply-patch+yaml", query)

    def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        operations: Sequence[Mapping[str, Any]],
        subresource: str = "",
    ) -> Deferred[Document]:
        """See `IApi`."""
        path = kind.path(namespace, name, subresource)
        return self._ask("PATCH", path, operations, "application/json-patch+json")

    def create(self, document: Mapping[str, Any]) -> Deferred[Document]:
        """See `IApi`."""
        return self._ask("POST", kind_of(document).path(_namespace(document)), document)

    def replace(self, document: Mapping[str, Any]) -> Deferred[Document]:
        """See `IApi`."""
        return self._ask("PUT", _path(document), document)

    def get(self, kind: Kind, namespace: str, name: str) -> Deferred[Document]:
        """See `IApi`."""
        return self._ask("GET", kind.path(namespace, name))

    def list(self, kind: Kind, namespace: str = "", labels: str = "") -> Deferred[list[Document]]:
        """See `IApi`."""
        query = {"labelSelector": labels}
        return self._ask("GET", kind.path(namespace), query=query).addCallback(
            lambda found: found["items"]
        )

    def delete(self, kind: Kind, namespace: str, name: str, uid: str = "") -> Deferred[None]:
        """See `IApi`."""
        options = {"preconditions": {"uid": uid}} if uid else {}
        return self._ask("DELETE", kind.path(namespace, name), options).addCallback(lambda _: None)

    def _ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        form: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Deferred[Any]:
        self.made += 1
        is_fatal = self.made == self.fatal
        answered: Deferred[Any] = Deferred()
        if self.killed:
            return answered
        if is_fatal and not self.obeyed:
            self.killed = True
            return answered
        data = b"" if body is None else json.dumps(body).encode()
        query = {"fieldManager": FIELD_MANAGER, **(query or {})}
        asked = Asked(method, path, query, {"content-type": form}, data)

        def answer(outcome: Any) -> None:
            if is_fatal:
                self.killed = True
            if answered.called or self.killed:
                return
            if isinstance(outcome, Exception):
                answered.errback(outcome)
            else:
                answered.callback(outcome)

        def obey() -> None:
            if answered.called or self.killed:
                return  # cancelled before it was sent
            outcome = self._outcome(asked)
            self._clock.callLater(self.latency, answer, outcome)

        self._clock.callLater(self.latency, obey)
        return answered

    def _outcome(self, asked: Asked) -> Any:
        if self.away:
            return Unreachable("connection refused")
        result = Visit(self._server._api, asked).outcome()
        if result is None:
            return Unreachable("the connection was cut")
        assert isinstance(result, Answer)
        found = json.loads(result.body)
        if result.code < 300:
            return found
        call: ApiCall = self._server.calls[-1]
        retry = result.headers.get("Retry-After")
        return ApiError(
            result.code,
            found["reason"],
            found["message"],
            float(retry) if retry else None,
            verb=call.verb,
            resource=f"{call.kind}.{call.group}".rstrip("."),
        )


class Feed:
    """Watches the kinds of an operator, as its shell does.

    Changes come in after `lag` seconds: at once, they are there before the answer to the request.
    """

    def __init__(
        self, server: ApiServer, observer: IObserver, clock: Clock, lag: float = 0.0
    ) -> None:
        self._server = server
        self._clock = clock
        self._lag = lag
        self.observe = observer.observe
        self._listed = observer.listed
        self._namespace = NAMESPACE
        self._watches: dict[Kind, Watch] = {}

    def begin(self, kinds: Iterable[Kind] = WATCHED) -> None:
        """List and watch each kind; in the middle of a watch, as after 410 Gone."""
        for kind in kinds:
            self.cut([kind])
            path = kind.path(self._namespace if kind.namespaced else "")
            answer = self._server._api.answer(Asked("GET", path))
            assert isinstance(answer, Answer)
            found = json.loads(answer.body)
            for item in found["items"]:
                item.update(kind=kind.name, apiVersion=kind.api_version)
                self.observe(kind, None, item)
            self._listed(kind)
            self._follow(kind, found["metadata"]["resourceVersion"])

    def cut(self, kinds: Iterable[Kind] = WATCHED) -> None:
        """Lose the connections: what happens from now on is not seen."""
        for kind in kinds:
            if kind in self._watches:
                self._watches.pop(kind).lost()

    def _follow(self, kind: Kind, version: str) -> None:
        path = kind.path(self._namespace if kind.namespaced else "")
        query = {"watch": "1", "resourceVersion": version}
        watch = self._server._api.answer(Asked("GET", path, query))
        assert isinstance(watch, Watch)

        def take(lines: bytes) -> None:
            for line in lines.splitlines():
                found = json.loads(line)
                if self._lag:
                    self._clock.callLater(self._lag, late, found)
                else:
                    self.observe(kind, found["type"], found["object"])

        def late(found: Any) -> None:
            if self._watches.get(kind) is watch:
                self.observe(kind, found["type"], found["object"])

        watch.write = take
        self._watches[kind] = watch
        watch.begin()


class Stage:
    """A cluster on a `Clock`: the fake API server, an operator, and the test in the part of all
    controllers and kubelets.
    """

    def __init__(self, interval: float = 5.0, lag: float = 0.0) -> None:
        self._lag = lag
        self.clock = Clock()
        self.clock.advance(1000)
        self.server = ApiServer(reactor=self.clock)
        self.objects = self.server.objects
        self.settings = OperatorSettings(
            namespace=NAMESPACE, plugin_image=IMAGE, status_interval=interval
        )
        self.objects.create(
            {"kind": "Namespace", "metadata": {"name": NAMESPACE}, "apiVersion": "v1"}
        )
        self.objects.create(crd())
        self.results: list[str] = []
        """The results of the reconciles so far."""
        self.took: list[float] = []
        """The seconds that each of them took."""
        self.looks: list[float] = []
        """When the operator wanted to look for kinds that it does not know."""
        self.operate()

    def define(
        self, group: str, version: str, kind: str, plural: str, scope: str = "Namespaced"
    ) -> None:
        """Add a kind whose objects may be anything."""
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        self.objects.create(
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": f"{plural}.{group}"},
                "spec": {
                    "group": group,
                    "scope": scope,
                    "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
                    "versions": [
                        {
                            "name": version,
                            "served": True,
                            "storage": True,
                            "subresources": {"status": {}},
                            "schema": {"openAPIV3Schema": schema},
                        }
                    ],
                },
            }
        )

    def operate(self) -> None:
        """Start an operator; the one before is not stopped, as if it had been killed."""
        self.api = MemoryApi(self.server, self.clock)
        self.reconciler = Reconciler(
            self.api,
            self.settings,
            self.clock,
            done=self._done,
            wall_clock=lambda: 1.8e9 + self.clock.seconds(),
            look=lambda: self.looks.append(self.clock.seconds()),
        )
        self.feed = Feed(self.server, self.reconciler, self.clock, self._lag)

    def _done(self, result: str, seconds: float) -> None:
        self.results.append(result)
        self.took.append(seconds)

    def start(self) -> None:
        """Let the operator list and watch, and work until nothing is left to be done."""
        self.reconciler.start()
        self.feed.begin()
        self.settle()

    def kill(self) -> None:
        """End the operator as SIGKILL does: nothing that it has begun goes on."""
        self.api.killed = True
        self.feed.cut()

    def restart(self, image: str = IMAGE) -> None:
        """Kill the operator, and start another one."""
        self.kill()
        self.settings = attrs.evolve(self.settings, plugin_image=image)
        self.operate()
        self.start()

    def settle(self, seconds: float = 12.0) -> None:
        """Let time pass."""
        for _ in range(round(seconds / SLICE)):
            self.clock.advance(SLICE)
            if self.server.garbage and self.server._api.has_garbage:
                self.server.collect_garbage()

    # What was asked

    def forget(self) -> None:
        """Begin a new record of requests."""
        self.server.calls.clear()

    def requests(self) -> list[str]:
        """The requests so far, but for events: such as ``apply daemonsets/gpus``."""
        return [
            f"{call.verb} {'/'.join(filter(None, (call.kind, call.name, call.subresource)))}"
            for call in self.server.calls
            if call.kind != "events"
        ]

    def events(self) -> list[str]:
        """The reasons of all events, oldest first."""
        found = sorted(
            self.objects.list("events"), key=lambda one: int(one["metadata"]["resourceVersion"])
        )
        return [event["reason"] for event in found]

    # What users do

    def plugin(self, name: str = "gpus", **spec: Any) -> Document:
        """Make a DevicePlugin."""
        spec = spec or {"catalog": [{"name": "kvm"}], "domain": "lab.example.com"}
        return self.objects.create(
            {
                "apiVersion": "twistdp.io/v1alpha1",
                "kind": "DevicePlugin",
                "metadata": {"name": name},
                "spec": spec,
            }
        )

    def edit(self, patch: Any, name: str = "gpus") -> None:
        """Change a DevicePlugin."""
        self.objects.patch("deviceplugins", name, patch)

    def status(self, name: str = "gpus") -> dict[str, Any]:
        """A DevicePlugin's status."""
        found: dict[str, Any] = self.objects.get("deviceplugins", name).get("status", {})
        return found

    def condition(self, kind: str, name: str = "gpus") -> tuple[str, str, str]:
        """Status, reason and message of a condition."""
        found = {one["type"]: one for one in self.status(name)["conditions"]}[kind]
        return found["status"], found["reason"], found["message"]

    def find(self, kind: str, name: str = "gpus") -> Document | None:
        """An object in the operator's namespace."""
        return self.objects.find(kind, name, NAMESPACE)

    # What controllers and kubelets do

    def node(self, name: str, **counts: int | tuple[int, int]) -> None:
        """Make a node, or change its devices: ``kvm=3``, or all and healthy, ``kvm=(3, 2)``."""
        pairs = {
            f"lab.example.com/{key}": value if isinstance(value, tuple) else (value, value)
            for key, value in counts.items()
        }
        status = {
            "capacity": {"cpu": "8", **{key: str(all_) for key, (all_, _) in pairs.items()}},
            "allocatable": {"cpu": "8", **{key: str(good) for key, (_, good) in pairs.items()}},
        }
        if self.objects.find("nodes", name) is None:
            node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
            self.objects.create({**node, "status": status})
        else:
            self.objects.patch("nodes", name, {"status": status}, subresource="status")

    def heartbeat(self, name: str) -> None:
        """Have a kubelet report that it lives."""
        moment = {"lastHeartbeatTime": f"{self.clock.seconds():.0f}", "type": "Ready"}
        self.objects.patch(
            "nodes", name, {"status": {"conditions": [moment]}}, subresource="status"
        )

    def roll_out(self, name: str = "gpus", nodes: Sequence[str] = ("n1",)) -> None:
        """Have a DaemonSet's pods run the newest template on nodes."""
        found = self.find("daemonsets", name)
        assert found is not None
        revision = str(found["metadata"]["generation"])
        for node in nodes:
            pod = f"{name}-{node}"
            if self.find("pods", pod) is not None:
                self.objects.delete("pods", pod, NAMESPACE, gracePeriodSeconds=0)
            labels = {"twistdp.io/deviceplugin": name, "controller-revision-hash": revision}
            self.objects.create(
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {"name": pod, "namespace": NAMESPACE, "labels": labels},
                    "spec": {"nodeName": node, "containers": [{"name": "p", "image": "i"}]},
                }
            )
            ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
            self.objects.patch("pods", pod, {"status": ready}, NAMESPACE, subresource="status")
        self.count(name, len(nodes), generation=found["metadata"]["generation"])

    def count(self, name: str, pods: int, generation: int, updated: int | None = None) -> None:
        """Have the DaemonSet's controller write its counts."""
        status = {
            "observedGeneration": generation,
            "desiredNumberScheduled": pods,
            "currentNumberScheduled": pods,
            "numberMisscheduled": 0,
            "numberReady": pods,
            "numberAvailable": pods,
            "updatedNumberScheduled": pods if updated is None else updated,
        }
        self.objects.patch("daemonsets", name, {"status": status}, NAMESPACE, subresource="status")


def _namespace(document: Mapping[str, Any]) -> str:
    found: str = document["metadata"].get("namespace", "")
    return found


def _path(document: Mapping[str, Any], subresource: str = "") -> str:
    kind = kind_of(document)
    return kind.path(_namespace(document), document["metadata"]["name"], subresource)


def made(kind: str, name: str) -> list[str]:
    """The requests that make an object, and that make what is created count as applied."""
    return [f"create {kind}", f"patch {kind}/{name}"]


def running(name: str = "gpus", *, lag: float = 0.0, **spec: Any) -> Stage:
    """A stage with an object that is rolled out, and an empty record of requests."""
    stage = Stage(lag=lag)
    stage.start()
    stage.plugin(name, **spec)
    stage.settle()
    stage.roll_out(name)
    stage.settle()
    stage.forget()
    return stage


def applying(seconds: float = 1.5, *, latency: float = 1.0, lag: float = 0.0, **spec: Any) -> Stage:
    """A stage `seconds` after an object has appeared; each request takes `latency` seconds."""
    stage = Stage(lag=lag)
    stage.start()
    stage.api.latency = latency
    stage.plugin(**spec)
    stage.settle(seconds)
    return stage


def daemon_set(stage: Stage, name: str = "gpus") -> Document:
    """A plugin's DaemonSet, which must exist."""
    found = stage.find("daemonsets", name)
    assert found is not None
    return found


def pod_spec(stage: Stage) -> Document:
    """The spec of the pods of a plugin's DaemonSet."""
    found: Document = daemon_set(stage)["spec"]["template"]["spec"]
    return found
