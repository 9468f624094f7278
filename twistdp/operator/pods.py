"""Which pods a DevicePlugin has, and which plugins have pods on the same node."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from twistdp.operator.claims import Claims
from twistdp.operator.observed import NAME_LABEL, PodSeen, mapping, pod_of, text

_ENDED = ("Succeeded", "Failed")


class Pods:
    """The pods of the operator's namespace by the DevicePlugin that their label names."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._pods: dict[str, dict[str, PodSeen]] = {}
        self._owners: dict[str, str] = {}
        self._on: dict[str, Counter[str]] = {}
        """How many pods each plugin has on a node."""

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
        before = pods.get(name)
        if before == pod:
            return touched
        pods[name] = pod
        self._owners[name] = owner
        return touched | {owner} | self._moved(owner, _place(before), _place(pod))

    def drop(self, name: str) -> set[str]:
        """Forget a pod; return the DevicePlugins that this is about."""
        owner = self._owners.pop(name, "")
        pods = self._pods.get(owner, {})
        pod = pods.pop(name, None)
        if not pods:
            self._pods.pop(owner, None)
        return {owner} | self._moved(owner, _place(pod), "") if owner else set()

    def of(self, plugin: str) -> list[PodSeen]:
        """Return a plugin's pods."""
        return list(self._pods.get(plugin, {}).values())

    def meetings(self, plugin: str) -> Counter[str]:
        """Return the plugins that claim the same and have pods on the same nodes, and how many."""
        sharing = self._claims.sharing(plugin)
        nodes = {_place(pod) for pod in self.of(plugin)} - {""} if sharing else ()
        met: Counter[str] = Counter()
        for node in nodes:
            met.update(sharing & self._on[node].keys())
        return met

    def _moved(self, plugin: str, before: str, now: str) -> set[str]:
        """Count a pod on another node, or on none; return the plugins that this is about."""
        if before == now:
            return set()
        if now:
            self._on.setdefault(now, Counter())[plugin] += 1
        there = {other for node in (before, now) if node for other in self._on[node]}
        if before:
            counts = self._on[before]
            counts[plugin] -= 1
            if not counts[plugin]:
                del counts[plugin]
            if not counts:
                del self._on[before]
        return self._claims.sharing(plugin) & there


def _place(pod: PodSeen | None) -> str:
    """The node on which a pod serves, or will; empty if there is none."""
    return "" if pod is None or pod.phase in _ENDED else pod.node
