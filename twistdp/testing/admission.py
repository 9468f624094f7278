"""The pods of the emulated kubelet: they are admitted, start, and end."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import deferLater

from twistdp.kubelet.deviceplugin_v1beta1_pb2 import ContainerAllocateResponse
from twistdp.model import named
from twistdp.testing.endpoint import AdmissionRefused
from twistdp.testing.observed import ObservedNode
from twistdp.testing.pods import Pods, start_problem
from twistdp.testing.topologymanager import TopologyManager

START_AGAIN: Final = 7.75
"""Seconds until a kubelet starts a container again that it could not start: it made three calls of
PreStartContainer in 15.5 s."""


class AdmittingNode(ObservedNode):
    """A node on which pods run; see `ObservedNode`, `Pods` and `TopologyManager`."""

    def __init__(
        self,
        observe: Callable[[str], None],
        reactor: Any,
        *,
        topology: TopologyManager,
        list_ended_pods: bool,
    ) -> None:
        super().__init__(observe, reactor)
        self._topology = topology
        self.pods = Pods(reactor, list_ended=list_ended_pods)
        """The allocations; kept over restarts, as in the kubelet's checkpoint."""
        self._admission = DeferredLock()

    def allocate(
        self,
        resource: str,
        count: int = 1,
        *,
        ids: Iterable[str] | None = None,
        pod: str = "pod",
        container: str = "main",
        namespace: str = "default",
        init: bool = False,
    ) -> Deferred[ContainerAllocateResponse]:
        """Admit a container that asks for `count` devices, or for those in `ids`.

        With `init` it is an ordinary init container: pod-resources does not list it, and its
        devices go to the pod's next container that asks for some.

        One admission runs at a time, as in a kubelet.  Fails with `AdmissionRefused`, whose text is
        the one that a pod's status would show.
        """

        async def admit() -> ContainerAllocateResponse:
            self.pods.admit(namespace, pod, container, init=init)
            node = self.resources.get(resource)
            try:
                if node is None:
                    known = f"; there is {named(sorted(self.resources))}" if self.resources else ""
                    raise AdmissionRefused(f"{resource}: no such resource on this node{known}")
                taken = self.pods.taken(resource)
                again = self.pods.reusable(namespace, pod, resource)
                chosen, answer = await node.allocate(count, taken, ids, self._topology, again)
            except BaseException:
                self.pods.refuse(namespace, pod, container)
                raise
            kept = answer.SerializeToString()
            self.pods.add(namespace, pod, container, resource, chosen, node, kept, init=init)
            self.write_checkpoint()
            self.say(f"allocated {resource} {' '.join(chosen)} to {namespace}/{pod}")
            return answer

        return self._admission.run(lambda: Deferred.fromCoroutine(admit()))

    def run(
        self,
        pod: str,
        *,
        container: str = "main",
        namespace: str = "default",
        static: bool = False,
    ) -> None:
        """Admit a container that asks for no devices.

        A `static` pod is one of a file, which a kubelet knows without the API server; its name ends
        with ``-`` and the node's.
        """
        self.pods.admit(namespace, pod, container, static=static)
        self.say(f"admitted {namespace}/{pod}")

    def start_container(
        self, pod: str = "pod", *, container: str = "main", namespace: str = "default"
    ) -> Deferred[None]:
        """Start, or restart, a container that `allocate` has admitted.

        Calls PreStartContainer of each plugin that has announced it, again and again while it
        fails, as a kubelet does.  Fires when the container has started or the pod was released.
        """

        async def start() -> None:
            held = self.pods.held(namespace, pod, container)
            while problem := await start_problem(held, self.resources):
                self.say(f"{namespace}/{pod}: CreateContainerConfigError: {problem}")
                await deferLater(self._reactor, START_AGAIN)
                held = self.pods.held(namespace, pod, container)
            if held:
                self.say(f"started {namespace}/{pod}")

        return Deferred.fromCoroutine(start())

    def release(self, pod: str, namespace: str = "default", *, force: bool = False) -> None:
        """End the pod.  A kubelet reports that to no plugin.

        Its devices stay listed as its own for about a second, or until the next admission; with
        `force` they do not, as after ``kubectl delete --force``.  See `forgotten`.
        """
        self.pods.end(namespace, pod, force=force)
        self.say(f"released {namespace}/{pod}")

    def forgotten(self, pod: str, namespace: str = "default") -> Deferred[None]:
        """Fires when the released pod is not listed any more as the holder of a device."""
        return deferLater(self._reactor, self.pods.leaving(namespace, pod))

    def write_checkpoint(self) -> None:
        """Called after a change in what containers hold."""
