"""What the Prometheus operator needs to scrape a plugin's pods, as values."""

from collections.abc import Mapping
from typing import Any

from twistdp.deployment.daemonset import DaemonSet

_GROUP = "monitoring.coreos.com/v1"


def pod_monitor(plugin: DaemonSet, interval: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """A PodMonitor with these `labels` besides the plugin's."""
    return {
        "apiVersion": _GROUP,
        "kind": "PodMonitor",
        "metadata": _labelled(plugin, labels),
        "spec": {
            "selector": {"matchLabels": plugin.selector},
            "podMetricsEndpoints": [_endpoint(interval)],
        },
    }


def service(plugin: DaemonSet) -> dict[str, Any]:
    """A headless Service, which a `service_monitor` finds the pods by."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": plugin.metadata(),
        "spec": {
            "clusterIP": "None",
            "selector": plugin.selector,
            "ports": [{"name": "http", "port": plugin.http_port, "targetPort": "http"}],
        },
    }


def service_monitor(plugin: DaemonSet, interval: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """A ServiceMonitor for the `service`, with these `labels` besides the plugin's."""
    return {
        "apiVersion": _GROUP,
        "kind": "ServiceMonitor",
        "metadata": _labelled(plugin, labels),
        "spec": {
            "selector": {"matchLabels": plugin.selector},
            "endpoints": [_endpoint(interval)],
        },
    }


def _labelled(plugin: DaemonSet, labels: Mapping[str, str]) -> dict[str, Any]:
    metadata = plugin.metadata()
    return {**metadata, "labels": {**labels, **metadata["labels"]}}


def _endpoint(interval: str) -> dict[str, Any]:
    return {
        "port": "http",
        "path": "/metrics",
        "interval": interval,
        # The labels namespace, pod and container of --http-pods are of the pods that have devices.
        "honorLabels": True,
        "relabelings": [
            {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "instance"}
        ],
    }
