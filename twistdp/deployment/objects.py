"""The objects of Kubernetes that run a plugin, as values."""

from typing import Any

from twistdp.deployment.daemonset import DaemonSet
from twistdp.deployment.openshift import EVERY_NODE
from twistdp.deployment.pod import pod_spec


def namespace(plugin: DaemonSet) -> dict[str, Any]:
    """The plugin's Namespace."""
    metadata = {
        "name": plugin.namespace,
        **({"annotations": EVERY_NODE} if plugin.openshift else {}),
        "labels": {"pod-security.kubernetes.io/enforce": "privileged"},
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def service_account(plugin: DaemonSet) -> dict[str, Any]:
    """The pods' ServiceAccount, which may do nothing."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": plugin.metadata(),
        "automountServiceAccountToken": False,
    }


def quota(plugin: DaemonSet) -> dict[str, Any]:
    """A ResourceQuota that allows pods of the plugin's priority, any number of them."""
    scope = {"scopeName": "PriorityClass", "operator": "In", "values": [plugin.priority_class]}
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": plugin.metadata(),
        "spec": {"hard": {"pods": "1G"}, "scopeSelector": {"matchExpressions": [scope]}},
    }


def daemon_set(
    plugin: DaemonSet, scanner_map: str | None = None, config_map: str | None = None
) -> dict[str, Any]:
    """The DaemonSet, whose pods mount the ConfigMaps with a scanner and a configuration.

    Raises `BadSetting` for a path that cannot be mounted.
    """
    annotations = {"annotations": dict(plugin.pod_annotations)} if plugin.pod_annotations else {}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": plugin.metadata(),
        "spec": {
            "selector": {"matchLabels": plugin.selector},
            **({"minReadySeconds": plugin.min_ready_seconds} if plugin.min_ready_seconds else {}),
            "updateStrategy": {"type": "OnDelete"}
            if plugin.rolling_update is None
            else {"type": "RollingUpdate", "rollingUpdate": dict(plugin.rolling_update)},
            "template": {
                "metadata": {"labels": plugin.selector, **annotations},
                "spec": pod_spec(plugin, scanner_map, config_map),
            },
        },
    }
