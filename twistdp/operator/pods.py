"""Which pods a DevicePlugin has."""

from collections.abc import Mapping
from typing import Any

from twistdp.operator.observed import NAME_LABEL, PodSeen, mapping, pod_of, text


class Pods:
    """The pods of the operator's namespace by the DevicePlugin that their label names."""

    def __init__(self) -> None:
        self._pods: dict[str, dict[str, PodSeen]] = {}
        self._owners: dict[str, str] = {}

    def take(self, name: str, document: Mapping[str, Any]) -> set[str]:
        """Take a pod as it is now; return the DevicePlugins that this is about."""
        labels = mapping(mapping(document, "metadata"), "labels")
        owner = text(labels.get(NAME_LABEL))
        # Somebody who looks into a pod may have changed its labels to have it replaced.
        touched = self.drop(name) if self._owners.get(name, owner) != owner else set()
        if not owner:
            return touched
        pod = pod_of(document)
        pods = self._pods.setdefault(owner, {})
        if pods.get(name) == pod:
            return touched
        pods[name] = pod
        self._owners[name] = owner
        return touched | {owner}

    def drop(self, name: str) -> set[str]:
        """Forget a pod; return the DevicePlugin that had it."""
        owner = self._owners.pop(name, "")
        pods = self._pods.get(owner, {})
        pods.pop(name, None)
        if not pods:
            self._pods.pop(owner, None)
        return {owner} if owner else set()

    def of(self, plugin: str) -> list[PodSeen]:
        """Return a plugin's pods."""
        return list(self._pods.get(plugin, {}).values())
