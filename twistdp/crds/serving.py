"""How the plugin works on a node, and what it shows."""

from typing import Annotated, Final, Literal

import attrs

from twistdp.config import key
from twistdp.crds.amounts import Interval, LogLevel, Port
from twistdp.crds.places import HostDirectory, KubeletDirectory
from twistdp.crds.rule import CelRule, between
from twistdp.crds.source import Policy
from twistdp.crds.values import Labels
from twistdp.settings import CDI_DIRECTORY

KUBELET = "/var/lib/kubelet"
"""The kubelet's directory."""

Delay = Annotated[int, between(0, 86_400)]
Timeout = Annotated[int, between(1, 86_400)]


@attrs.frozen(kw_only=True)
class Cdi:
    """Container Device Interface."""

    enabled: bool = key(
        "enabled",
        "Whether the plugin may write specs; a configuration with the key cdi may in any case.",
        False,
        "true",
    )
    directory: HostDirectory = key(
        "directory", "Where they are written on the node.", CDI_DIRECTORY, "/etc/cdi"
    )


@attrs.frozen(kw_only=True)
class Http:
    """Metrics, probes and the page over HTTP."""

    port: Port = key("port", "The port at the pods' addresses.", 9102, "9102")
    pods: bool = key("pods", "Whether metrics name the pods that have devices.", False, "true")


@attrs.frozen(kw_only=True)
class Monitoring:
    """How Prometheus finds the pods, in clusters with its operator."""

    kind: Literal["PodMonitor", "ServiceMonitor"] = key(
        "kind", "The kind of object that is made.", "PodMonitor", "ServiceMonitor"
    )
    interval: Interval = key("interval", "How often metrics are read.", "30s", "1m")
    labels: Labels = key(
        "labels", "Labels by which Prometheus selects the object.", {}, "{release: prometheus}"
    )


SERVING_RULES: Final = (
    CelRule(
        "!has(self.monitoring) || has(self.http)",
        "metrics are read over HTTP, which is off; add http, as {port: 9102}",
        lambda spec: spec.monitoring is None or spec.http is not None,
        "http",
    ),
)
"""Rules about how a plugin works."""


@attrs.frozen(kw_only=True, slots=False)
class Serving:
    """How the plugin works."""

    log_level: LogLevel = key(
        "logLevel", "Messages up to this level: 0 for operators, 4 for developers.", 0, "2"
    )
    log_format: Literal["text", "json"] = key("logFormat", "How log lines look.", "text", "json")
    registration: Literal["socket", "watcher"] = key(
        "registration",
        "How the plugin registers: at the kubelet's socket, or found by its plugin watcher.",
        "socket",
        "watcher",
    )
    kubelet_directory: KubeletDirectory = key(
        "kubeletDirectory",
        "The kubelet's directory, where it differs.",
        KUBELET,
        "/var/lib/k0s/kubelet",
    )
    preferred: Policy = key(
        "preferred",
        "The policy by which a container gets some devices first, where nothing else says one.",
        "none",
        "numa",
    )
    removal_grace: Delay = key(
        "removalGraceSeconds",
        "Seconds that a device in use stays listed, unhealthy, after it vanished.",
        0,
        "5",
    )
    scan_timeout: Timeout = key(
        "scanTimeoutSeconds", "Seconds after which a scan counts as hung.", 30, "60"
    )
    hook_timeout: Timeout = key(
        "hookTimeoutSeconds",
        "Seconds after which a hook that has not answered is cancelled.",
        60,
        "10",
    )
    check_nodes: bool = key(
        "checkNodes", "Whether a device whose node is gone is not given away.", True, "false"
    )
    check_paths: bool = key(
        "checkPaths", "Whether devices whose paths others could change are left out.", True, "false"
    )
    cdi: Cdi = key("cdi", "The Container Device Interface.", attrs.Factory(Cdi), "{enabled: true}")
    http: Http | None = key("http", "Answers over HTTP; none without it.", None, "{port: 9102}")
    monitoring: Monitoring | None = key(
        "monitoring", "An object for Prometheus's operator.", None, "{kind: ServiceMonitor}"
    )
