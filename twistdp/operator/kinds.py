"""The kinds of objects that the operator reads or writes, and where the API server has them."""

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen
class Kind:
    """A kind of objects: ``apps/v1``, ``DaemonSet``, ``daemonsets``, in namespaces or not."""

    api_version: str
    name: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def resource(self) -> str:
        """The plural with its group, as in RBAC rules and messages: ``daemonsets.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the URL's path of an object, or of the collection if `name` is empty.

        An empty `namespace` of a namespaced kind stands for all namespaces.
        """
        parts = ["apis" if self.group else "api", self.api_version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += filter(None, (self.plural, name, subresource))
        return "/" + "/".join(parts)


DEVICE_PLUGIN = Kind("twistdp.io/v1alpha1", "DevicePlugin", "deviceplugins", namespaced=False)
DAEMON_SET = Kind("apps/v1", "DaemonSet", "daemonsets")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
SERVICE = Kind("v1", "Service", "services")
POD = Kind("v1", "Pod", "pods")
NODE = Kind("v1", "Node", "nodes", namespaced=False)
EVENT = Kind("v1", "Event", "events")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
POD_MONITOR = Kind("monitoring.coreos.com/v1", "PodMonitor", "podmonitors")
SERVICE_MONITOR = Kind("monitoring.coreos.com/v1", "ServiceMonitor", "servicemonitors")

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        DEVICE_PLUGIN,
        DAEMON_SET,
        CONFIG_MAP,
        SERVICE_ACCOUNT,
        SERVICE,
        POD,
        NODE,
        EVENT,
        LEASE,
        POD_MONITOR,
        SERVICE_MONITOR,
    )
}
"""By the name that objects have as their ``kind``; to add a kind, add a row."""


def kind_of(document: Mapping[str, Any]) -> Kind:
    """Return the kind of an object of ours; raises KeyError for one that has no row."""
    return KINDS[document["kind"]]
