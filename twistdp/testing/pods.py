"""Which pods hold which devices of the emulated kubelet, and whether their containers start."""

from collections.abc import Iterable, Iterator, Mapping

import attrs

from twistdp.testing.endpoint import AdmissionRefused
from twistdp.testing.node import NodeResource


@attrs.frozen
class Holding:
    """The devices of one resource that one container holds, with their NUMA nodes.

    `answer` is the ContainerAllocateResponse of the plugin, encoded.
    """

    namespace: str
    pod: str
    container: str
    resource: str
    ids: tuple[str, ...]
    numa: dict[str, list[int]]
    answer: bytes


class Pods:
    """All that containers hold."""

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
        answer: bytes,
    ) -> None:
        """Record that a container was admitted."""
        ids = tuple(ids)
        numa = {id_: node.numa[id_] for id_ in ids if id_ in node.numa}
        held = Holding(namespace, pod, container, resource, ids, numa, answer)
        self._holdings.append(held)

    def held(self, namespace: str, pod: str, container: str) -> list[Holding]:
        """The holdings of one container."""
        whose = namespace, pod, container
        return [h for h in self._holdings if (h.namespace, h.pod, h.container) == whose]

    def remove(self, namespace: str, pod: str) -> None:
        """Forget a pod that has ended."""
        self._holdings = [h for h in self._holdings if (h.namespace, h.pod) != (namespace, pod)]

    def taken(self, resource: str) -> set[str]:
        """The ids of a resource that pods hold."""
        return {id_ for h in self._holdings if h.resource == resource for id_ in h.ids}


async def start_problem(held: Iterable[Holding], resources: Mapping[str, NodeResource]) -> str:
    """Why a container with these devices cannot be started; empty if it can."""
    for one in held:
        node = resources.get(one.resource)
        if node is None:
            return f"endpoint not found in cache for a registered resource: {one.resource}"
        try:
            await node.start_container(one.ids)
        except AdmissionRefused as error:
            return str(error)
    return ""
