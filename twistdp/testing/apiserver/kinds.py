"""The kinds of objects that the API server knows from the start, as a table."""

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen
class Kind:
    """A kind of objects, and how the API server treats it.

    `versions` are those that are served, the preferred one first.  `generation` is true where
    ``metadata.generation`` counts changes of the spec, `status` where the status is a subresource;
    `takes_status` where create keeps the status that it is sent.  `fields` are the field selectors
    beside ``metadata.name`` and ``metadata.namespace``.  `graceful` objects wait for their node
    when they are deleted, and an update creates `by_update` ones that are not there.  `custom` is
    true for kinds of a CustomResourceDefinition, and `schemas` are then the OpenAPI schemas by
    version.
    """

    group: str
    kind: str
    plural: str
    versions: tuple[str, ...] = ("v1",)
    namespaced: bool = True
    short: tuple[str, ...] = ()
    generation: bool = False
    status: bool = False
    takes_status: bool = False
    fields: tuple[str, ...] = ()
    graceful: bool = False
    by_update: bool = False
    custom: bool = False
    categories: tuple[str, ...] = ()
    schemas: Mapping[str, Any] = attrs.field(factory=dict, eq=False, repr=False)
    singular: str = attrs.field(default="")

    @property
    def key(self) -> tuple[str, str]:
        """What the kind's objects are stored under."""
        return self.group, self.plural

    @property
    def resource(self) -> str:
        """The plural with its group, as messages have it: ``daemonsets.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified(self) -> str:
        """The kind with its group, as messages have it: ``DaemonSet.apps``."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    def as_plural(self) -> "Kind":
        """The kind where the real server names its plural in place of the kind."""
        return attrs.evolve(self, kind=self.plural)

    def as_kind(self) -> "Kind":
        """The kind where the real server names it in place of the plural."""
        return attrs.evolve(self, plural=self.kind)

    def schema(self, version: str = "") -> Mapping[str, Any]:
        """A custom kind's schema, of the preferred version unless one is given."""
        found: Mapping[str, Any] = self.schemas.get(version or self.versions[0]) or {}
        return found

    def api_version(self, version: str = "") -> str:
        """Such as ``apps/v1``, of the preferred version unless one is given."""
        version = version or self.versions[0]
        return f"{self.group}/{version}" if self.group else version


def _cluster(group: str, kind: str, plural: str, **rest: Any) -> Kind:
    return Kind(group, kind, plural, namespaced=False, **rest)


RBAC = "rbac.authorization.k8s.io"
ADMISSION = "admissionregistration.k8s.io"
DRA = "resource.k8s.io"

NAMESPACES = _cluster(
    "", "Namespace", "namespaces", short=("ns",), status=True, fields=("status.phase",)
)
PODS = Kind(
    "", "Pod", "pods", short=("po",), status=True, generation=True, graceful=True,
    categories=("all",),
    fields=("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
            "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"),
)  # fmt: skip
NODES = _cluster(
    "", "Node", "nodes", short=("no",), status=True, takes_status=True,
    fields=("spec.unschedulable",),
)  # fmt: skip
EVENTS = Kind(
    "", "Event", "events", short=("ev",), by_update=True,
    fields=("involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
            "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
            "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type"),
)  # fmt: skip
DAEMONSETS = Kind(
    "apps", "DaemonSet", "daemonsets", short=("ds",), generation=True, status=True,
    categories=("all",),
)  # fmt: skip
CLAIMS = Kind(DRA, "ResourceClaim", "resourceclaims", status=True)
DEFINITIONS = _cluster(
    "apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions",
    short=("crd", "crds"), generation=True, status=True, categories=("api-extensions",),
)  # fmt: skip

BUILT_IN = (
    NAMESPACES,
    PODS,
    NODES,
    EVENTS,
    Kind("events.k8s.io", "Event", "events", short=("ev",), by_update=True),
    Kind("", "ConfigMap", "configmaps", short=("cm",)),
    Kind("", "Secret", "secrets", fields=("type",)),
    Kind("", "ServiceAccount", "serviceaccounts", short=("sa",)),
    Kind("", "Service", "services", short=("svc",), status=True, categories=("all",)),
    DAEMONSETS,
    Kind("apps", "Deployment", "deployments", short=("deploy",), generation=True, status=True,
         categories=("all",)),
    Kind("coordination.k8s.io", "Lease", "leases", by_update=True),
    DEFINITIONS,
    Kind(RBAC, "Role", "roles", by_update=True),
    Kind(RBAC, "RoleBinding", "rolebindings", by_update=True),
    _cluster(RBAC, "ClusterRole", "clusterroles", by_update=True),
    _cluster(RBAC, "ClusterRoleBinding", "clusterrolebindings", by_update=True),
    _cluster(DRA, "ResourceSlice", "resourceslices", generation=True,
             fields=("spec.nodeName", "spec.driver")),
    CLAIMS,
    _cluster(DRA, "DeviceClass", "deviceclasses", generation=True),
    _cluster(ADMISSION, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations",
             generation=True, categories=("api-extensions",)),
    _cluster(ADMISSION, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations",
             generation=True, categories=("api-extensions",)),
)  # fmt: skip
"""To add a kind, add a row."""
