"""Plays what controllers and kubelets do in a cluster: nodes, and the pods of DaemonSets."""

from collections.abc import Iterable, Mapping
from typing import Any

from twistdp.testing.apiserver.objects import Objects

Object = dict[str, Any]

NODE_STATUS = {"conditions": [{"type": "Ready", "status": "True"}]}


class Cluster:
    """The rest of a cluster, played by hand on the objects of an API server."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def add_node(
        self,
        name: str,
        resources: Mapping[str, tuple[int, int]] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Object:
        """Add a node; `resources` are as for `set_devices`."""
        named = {"kubernetes.io/hostname": name, **(labels or {})}
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": named},
            "status": {**NODE_STATUS, **_quantities(resources or {})},
        }
        return self._objects.create(node, "kubelet")

    def set_devices(self, node: str, resources: Mapping[str, tuple[int, int]]) -> Object:
        """Have a node report resources: for each its capacity and what is allocatable of it.

        Others that it reports stay as they are.
        """
        patch = {"status": _quantities(resources)}
        return self._objects.patch("nodes", node, patch, subresource="status", manager="kubelet")

    def set_daemon_set(
        self,
        name: str,
        namespace: str,
        nodes: Iterable[str],
        ready: Iterable[str] | None = None,
        updated: Iterable[str] | None = None,
    ) -> Object:
        """Have a DaemonSet run on some nodes, by default ready and up to date on all of them."""
        count = len(set(nodes))
        ready_count = count if ready is None else len(set(ready))
        found = self._objects.get("daemonsets.apps", name, namespace)
        status = {
            "observedGeneration": found["metadata"]["generation"],
            "desiredNumberScheduled": count,
            "currentNumberScheduled": count,
            "updatedNumberScheduled": count if updated is None else len(set(updated)),
            "numberReady": ready_count,
            "numberAvailable": ready_count,
            "numberUnavailable": count - ready_count,
            "numberMisscheduled": 0,
        }
        return self._objects.patch(
            "daemonsets.apps",
            name,
            {"status": status},
            namespace,
            "status",
            "kube-controller-manager",
        )

    def add_pod(self, daemon_set: str, namespace: str, node: str, ready: bool = True) -> Object:
        """Run a pod of a DaemonSet on a node, as its template has it now."""
        owner = self._objects.get("daemonsets.apps", daemon_set, namespace)
        template = owner["spec"]["template"]
        pod = self._objects.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    **{k: v for k, v in template["metadata"].items() if k != "name"},
                    "generateName": f"{daemon_set}-",
                    "namespace": namespace,
                    "ownerReferences": [
                        {
                            "apiVersion": owner["apiVersion"],
                            "kind": owner["kind"],
                            "name": daemon_set,
                            "uid": owner["metadata"]["uid"],
                            "controller": True,
                            "blockOwnerDeletion": True,
                        }
                    ],
                },
                "spec": {**template["spec"], "nodeName": node},
            },
            "kube-controller-manager",
        )
        return self.set_pod(pod["metadata"]["name"], namespace, ready=ready)

    def set_pod(
        self, name: str, namespace: str, ready: bool = True, waiting: str = "", message: str = ""
    ) -> Object:
        """Have a pod run, or its containers wait for a reason such as ``ImagePullBackOff``."""
        pod = self._objects.get("pods", name, namespace)
        state: Object = {"running": {}}
        if waiting:
            state = {"waiting": {"reason": waiting, "message": message}}
        is_ready = ready and not waiting
        status = {
            "phase": "Pending" if waiting else "Running",
            "conditions": [{"type": "Ready", "status": "True" if is_ready else "False"}],
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "ready": is_ready,
                    "restartCount": 0,
                    "state": state,
                }
                for container in pod["spec"]["containers"]
            ],
        }
        return self._objects.patch("pods", name, {"status": status}, namespace, "status", "kubelet")

    def end_pod(self, name: str, namespace: str) -> None:
        """End a pod, deleted or not, as its node does when its containers are gone."""
        self._objects.delete("pods", name, namespace, gracePeriodSeconds=0)


def _quantities(resources: Mapping[str, tuple[int, int]]) -> Object:
    return {
        "capacity": {name: str(capacity) for name, (capacity, _) in resources.items()},
        "allocatable": {name: str(count) for name, (_, count) in resources.items()},
    }
