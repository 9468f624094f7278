"""Which pods hold which devices of the emulated kubelet, and whether their containers start."""

import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import attrs
from twisted.internet.interfaces import IReactorTime

from twistdp.testing.endpoint import AdmissionRefused
from twistdp.testing.node import NodeResource

LEAVING: Final = (0.3, 1.5)
"""Least and most seconds for which a kubelet keeps a pod whose containers have ended."""


@attrs.frozen
class Holding:
    """The devices of one resource that one container holds, with their NUMA nodes.

    `answer` is the ContainerAllocateResponse of the plugin, encoded.  `init` is whether it is an
    ordinary init container.
    """

    namespace: str
    pod: str
    container: str
    resource: str
    ids: tuple[str, ...]
    numa: dict[str, list[int]]
    answer: bytes
    init: bool = False


@attrs.define(eq=False)
class Pod:
    """One pod: `containers` in the order of its specification, without ordinary init containers.

    `leaves` is when the kubelet forgets what it holds, once it ends.
    """

    namespace: str
    name: str
    static: bool = False
    containers: list[str] = attrs.field(factory=list)
    holdings: list[Holding] = attrs.field(factory=list)
    leaves: float | None = None

    def held(self, container: str) -> list[Holding]:
        """What one container holds."""
        return [held for held in self.holdings if held.container == container]


class Pods:
    """All pods of the node.  `clock` times their ends.

    With `list_ended`, those that have ended or were refused stay, without devices, until one of the
    same name comes, as with kubelets before 1.34.
    """

    def __init__(self, clock: IReactorTime, *, list_ended: bool = False) -> None:
        self._clock = clock
        self._list_ended = list_ended
        self._pods: dict[tuple[str, str], Pod] = {}

    def __iter__(self) -> Iterator[Holding]:
        for pod in self.all():
            yield from pod.holdings

    def all(self) -> list[Pod]:
        """The pods that the kubelet has not forgotten."""
        self._forget(self._clock.seconds())
        return list(self._pods.values())

    def admit(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        init: bool = False,
        static: bool = False,
    ) -> None:
        """Add a pod, or the next container of one.

        Those that were ending are forgotten: no pod is sent to the node before it has the devices.
        """
        self._forget(float("inf"))
        key = namespace, pod
        if key not in self._pods or self._pods[key].leaves is not None:
            self._pods[key] = Pod(namespace, pod, static)
        containers = self._pods[key].containers
        if not init and container not in containers:
            containers.append(container)

    def refuse(self, namespace: str, pod: str, container: str) -> None:
        """Remove a container that got no devices; without another one its pod has ended."""
        found = self._pods[namespace, pod]
        if container in found.containers and not found.held(container):
            found.containers.remove(container)
        if not found.holdings:
            found.leaves = self._clock.seconds()

    def add(
        self,
        namespace: str,
        pod: str,
        container: str,
        resource: str,
        ids: Iterable[str],
        node: NodeResource,
        answer: bytes,
        *,
        init: bool = False,
    ) -> None:
        """Record the devices that a new container has got."""
        ids = tuple(ids)
        numa = {id_: node.numa[id_] for id_ in ids if id_ in node.numa}
        held = Holding(namespace, pod, container, resource, ids, numa, answer, init)
        self._pods[namespace, pod].holdings.append(held)

    def running(self, namespace: str, pod: str) -> Pod | None:
        """A pod that has not ended."""
        found = self._pods.get((namespace, pod))
        return None if found is None or found.leaves is not None else found

    def held(self, namespace: str, pod: str, container: str) -> list[Holding]:
        """The holdings of one container, of a pod that has not ended."""
        found = self.running(namespace, pod)
        return [] if found is None else found.held(container)

    def end(self, namespace: str, pod: str, *, force: bool = False) -> None:
        """End a pod, which is forgotten a moment later, or, with `force`, at once."""
        found = self.running(namespace, pod)
        if found is not None:
            least, most = (0.0, 0.0) if force else LEAVING
            found.leaves = self._clock.seconds() + random.uniform(least, most)  # noqa: S311  # a test

    def leaving(self, namespace: str, pod: str) -> float:
        """Seconds until a pod that has ended is forgotten."""
        found = self._pods.get((namespace, pod))
        if found is None or found.leaves is None:
            return 0.0
        return max(0.0, found.leaves - self._clock.seconds())

    def taken(self, resource: str) -> set[str]:
        """The ids of a resource that pods hold."""
        return {id_ for held in self if held.resource == resource for id_ in held.ids}

    def reusable(self, namespace: str, pod: str, resource: str) -> set[str]:
        """The ids that the next container of a pod gets first: its init containers are done."""
        found = self.running(namespace, pod)
        held = [h for h in found.holdings if h.resource == resource] if found is not None else []
        of_init = {id_ for h in held if h.init for id_ in h.ids}
        return of_init.difference(id_ for h in held if not h.init for id_ in h.ids)

    def _forget(self, now: float) -> None:
        for key, pod in list(self._pods.items()):
            if pod.leaves is not None and pod.leaves <= now:
                pod.holdings.clear()
                if not self._list_ended:
                    del self._pods[key]


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
