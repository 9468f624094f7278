"""What tests of the operator's shell share: a fake API server with its kinds, and a client."""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from tests.support.helpers import PATIENCE
from twistdp.operator.api import IObserver
from twistdp.operator.client import Client
from twistdp.operator.credentials import Cluster, Token
from twistdp.operator.kinds import Kind
from twistdp.rpc import loop_of
from twistdp.testing.apiserver import ApiServer

NAMESPACE = "twistdp-system"


def definition(kind: str, plural: str, group: str, version: str, scope: str) -> dict[str, Any]:
    """A CustomResourceDefinition without a schema."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "scope": scope,
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "x-kubernetes-preserve-unknown-fields": True,
                        }
                    },
                }
            ],
        },
    }


DEVICE_PLUGINS = definition("DevicePlugin", "deviceplugins", "twistdp.io", "v1alpha1", "Cluster")
POD_MONITORS = definition("PodMonitor", "podmonitors", "monitoring.coreos.com", "v1", "Namespaced")


class PatientApiServer(ApiServer):
    """Waits longer for what must come."""

    def until(self, condition: Callable[[], object], timeout: float = PATIENCE) -> Deferred[None]:
        """See `ApiServer`."""
        return super().until(condition, timeout)


async def api_server(*definitions: Mapping[str, Any], garbage: bool = False) -> ApiServer:
    """A fake API server that listens, and has the operator's namespace."""
    server = PatientApiServer(garbage=garbage)
    await server.start()
    server.objects.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    )
    for each in definitions:
        server.objects.create(each)
    return server


def client_of(server: ApiServer, token: Token | None = None, **arguments: Any) -> Client:
    """A client of it."""
    from twisted.internet import reactor

    return Client(Cluster(server.url, token=token), loop_of(reactor), **arguments)


def plugin(name: str, **spec: Any) -> dict[str, Any]:
    """A DevicePlugin."""
    return {
        "apiVersion": "twistdp.io/v1alpha1",
        "kind": "DevicePlugin",
        "metadata": {"name": name},
        "spec": spec or {"catalog": [{"name": "kvm"}]},
    }


def config_map(name: str, namespace: str = NAMESPACE, **data: str) -> dict[str, Any]:
    """A ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


@implementer(IObserver)
class Recorder:
    """Keeps what it is called with."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str | None, str]] = []
        """The kind, change and name of each object."""
        self.lists: list[str] = []
        """The kinds of complete lists."""
        self.begun: list[str] = []
        """The kinds of lists that have begun."""
        self._waiting: list[tuple[Any, Deferred[None]]] = []

    def observe(self, kind: Kind, change: str | None, document: Mapping[str, Any]) -> None:
        """See `IObserver`."""
        assert document["kind"] == kind.name
        self.seen.append((kind.plural, change, document["metadata"]["name"]))
        self._look()

    def listing(self, kind: Kind) -> None:
        """See `IObserver`."""
        self.begun.append(kind.plural)
        self._look()

    def listed(self, kind: Kind) -> None:
        """See `IObserver`."""
        self.lists.append(kind.plural)
        self._look()

    def until(self, condition: Any, timeout: float = PATIENCE) -> Deferred[None]:
        """Fires when the condition holds; it is looked at after each call."""
        from twisted.internet import reactor

        waiting: Deferred[None] = Deferred()
        waiting.addTimeout(timeout, reactor)
        self._waiting.append((condition, waiting))
        self._look()
        return waiting

    def _look(self) -> None:
        for entry in list(self._waiting):
            condition, waiting = entry
            if waiting.called or condition():
                self._waiting.remove(entry)
                if not waiting.called:
                    waiting.callback(None)
