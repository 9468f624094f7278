"""Which pods the emulated kubelet has given what."""

from collections.abc import Iterable, Iterator

import attrs

from twistdp.testing.node import NodeResource


@attrs.frozen
class Holding:
    """What one container holds of one resource; `numa` are the devices' NUMA nodes."""

    namespace: str
    pod: str
    container: str
    resource: str
    ids: tuple[str, ...]
    numa: dict[str, list[int]]


class Pods:
    """What has been allocated to whom."""

    def __init__(self) -> None:
        self._holdings: list[Holding] = []

    def __iter__(self) -> Iterator[Holding]:
        return iter(self._holdings)

    def add(
        self,
        namespace: str,
        pod: str,
        container: str,
        resource: str,
        ids: Iterable[str],
        node: NodeResource,
    ) -> None:
        """A container was admitted."""
        ids = tuple(ids)
        numa = {id_: node.numa[id_] for id_ in ids if id_ in node.numa}
        self._holdings.append(Holding(namespace, pod, container, resource, ids, numa))

    def held(self, namespace: str, pod: str, container: str) -> list[Holding]:
        """What one container holds."""
        whose = namespace, pod, container
        return [h for h in self._holdings if (h.namespace, h.pod, h.container) == whose]

    def remove(self, namespace: str, pod: str) -> None:
        """A pod has ended."""
        self._holdings = [h for h in self._holdings if (h.namespace, h.pod) != (namespace, pod)]

    def taken(self, resource: str) -> set[str]:
        """The ids of a resource that pods hold."""
        return {id_ for h in self._holdings if h.resource == resource for id_ in h.ids}
