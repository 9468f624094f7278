"""An emulated kubelet: the device plugin side of a node, for tests and demonstrations.

It does what a real kubelet does (observed with Kubernetes 1.36): it dials back inside Register,
deletes every socket when it starts, never redials, marks devices unhealthy when their stream ends,
accepts at most 4 MiB a message, and drops the current plugin when an older stream of the resource
ends.
"""

import os
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import deferLater

from twistdp.errors import BadSetting, CallFailed
from twistdp.kubelet import KUBELET_SOCKET, REGISTER
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    ContainerAllocateResponse,
    Empty,
    ListAndWatchResponse,
    RegisterRequest,
)
from twistdp.rpc import Method, Server, keep_steady
from twistdp.testing.endpoint import AdmissionRefused
from twistdp.testing.kubeletsocket import (
    RegistrationSocket,
    check_request,
    is_extended_resource_name,
    kill,
    refuse_foreign_checkpoint,
    refuse_used_directory,
    write_checkpoint,
)
from twistdp.testing.node import NodeResource
from twistdp.testing.observed import ObservedNode, Registration
from twistdp.testing.podresources import pod_resources_server
from twistdp.testing.pods import Pods, start_problem
from twistdp.testing.registry import PluginsRegistry
from twistdp.testing.topologymanager import Policy, TopologyManager

__all__ = ["AdmissionRefused", "FakeKubelet", "NodeResource", "Registration"]

START_AGAIN = 7.75
"""Seconds until a kubelet starts a container again that it could not start: it made three calls of
PreStartContainer in 15.5 s."""


class FakeKubelet(ObservedNode):
    """Plays the kubelet in `directory`, the plugins' ``--plugin-dir``.

    `pod_resources` is the path of a socket for pod-resources v1, which lists what was allocated.
    `registry_dir`, the plugins' ``--registry-dir``, is the directory that its plugin watcher
    watches; it is made if it is missing.  `topology_policy` is its topology manager's, on a machine
    with the NUMA nodes `numa_nodes`; an impossible one raises `BadSetting`.  `start` refuses a
    directory that holds sockets, which it would delete, with `BadSetting`, unless `force` is given.
    It always refuses one with the checkpoint of a real kubelet.  `observe` is called with a line
    for people for everything that happens.  `reactor` must be an asyncio reactor; None means the
    installed one.
    """

    def __init__(
        self,
        directory: str,
        *,
        pod_resources: str | None = None,
        registry_dir: str | None = None,
        topology_policy: Policy = "none",
        numa_nodes: Collection[int] = (0, 1),
        force: bool = False,
        observe: Callable[[str], None] = lambda line: None,
        reactor: Any = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        super().__init__(observe, reactor)
        self.directory = os.path.abspath(directory)
        self.socket = os.path.join(self.directory, KUBELET_SOCKET)
        self._topology = TopologyManager(topology_policy, tuple(numa_nodes))
        self.pods = Pods()
        """The allocations; kept over restarts, as in the kubelet's checkpoint."""
        self.refusal: str | None = None
        """Every Register is refused with this text, unless it is None."""
        self.hanging = False
        """Whether Register gets no answer until the kubelet stops."""
        self.knows_pods = True
        """Whether pod-resources lists the pods: a kubelet that does not reach the API server after
        its start lists none, whatever they hold."""
        self.running = False
        self._over = False
        self._checked = force
        self._server: Server | None = None
        self._pod_resources_path = pod_resources
        self._pod_resources: Server | None = None
        self._registry: PluginsRegistry | None = None
        if registry_dir is not None:
            self._registry = PluginsRegistry(os.path.abspath(registry_dir), self, reactor)
        self._admission = DeferredLock()
        self._life = DeferredLock()

    # Life cycle

    def start(self) -> Deferred[None]:
        """Delete all sockets in the directory and serve; fires when plugins can register."""
        return self._life.run(lambda: Deferred.fromCoroutine(self._start()))

    def stop(self) -> Deferred[None]:
        """End all streams and stop; ``kubelet.sock`` stays behind, dead, as a real one does."""
        return self._life.run(lambda: Deferred.fromCoroutine(self._stop()))

    def restart(self) -> Deferred[None]:
        """Stop and start; another call of this follows after it."""

        async def restart() -> None:
            await self._stop()
            await self._start()

        return self._life.run(lambda: Deferred.fromCoroutine(restart()))

    def replace_socket(self) -> Deferred[None]:
        """Replace ``kubelet.sock`` alone: no other socket is deleted, no stream ended.

        Does nothing when the kubelet does not run.  Runs after a restart that was called before.
        """

        async def replace() -> None:
            if self._server is None:
                return
            old, self._server = self._server, self._make_server(wipe=False)
            await kill(old)
            with suppress(FileNotFoundError):
                os.unlink(self.socket)
            await self._server.listen()
            self.say("kubelet.sock was replaced")

        return self._life.run(lambda: Deferred.fromCoroutine(replace()))

    # Pods

    def allocate(
        self,
        resource: str,
        count: int = 1,
        *,
        ids: Iterable[str] | None = None,
        pod: str = "pod",
        container: str = "main",
        namespace: str = "default",
    ) -> Deferred[ContainerAllocateResponse]:
        """Admit a container that asks for `count` devices, or for those in `ids`.

        One admission runs at a time, as in a kubelet.  Fails with `AdmissionRefused`, whose text is
        the one that a pod's status would show.
        """

        async def admit() -> ContainerAllocateResponse:
            node = self.resources.get(resource)
            if node is None:
                raise AdmissionRefused(f"{resource}: no such resource on this node")
            taken = self.pods.taken(resource)
            chosen, answer = await node.allocate(count, taken, ids, self._topology)
            kept = answer.SerializeToString()
            self.pods.add(namespace, pod, container, resource, chosen, node, kept)
            self._write_checkpoint()
            self.say(f"allocated {resource} {' '.join(chosen)} to {namespace}/{pod}")
            return answer

        return self._admission.run(lambda: Deferred.fromCoroutine(admit()))

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

    def release(self, pod: str, namespace: str = "default") -> None:
        """End the pod.  A kubelet reports that to no plugin."""
        self.pods.remove(namespace, pod)
        self.say(f"released {namespace}/{pod}")

    # Inside

    async def _start(self) -> None:
        keep_steady(self._reactor)
        refuse_foreign_checkpoint(self.directory)
        if not self._checked:
            refuse_used_directory(self.directory)
        self._checked = True
        self._over = False
        self.resources.clear()
        self._server = self._make_server(wipe=True)
        await self._server.listen()
        if self._pod_resources_path is not None:
            self._pod_resources = pod_resources_server(
                self._pod_resources_path,
                self.pods,
                self.resources,
                self._reactor,
                knows_pods=lambda: self.knows_pods,
            )
            await self._pod_resources.listen()
        self.running = True
        self.say(f"kubelet started in {self.directory}")
        if self._registry is not None:
            self._registry.start()

    async def _stop(self) -> None:
        self.running = False
        self._over = True
        if self._registry is not None:
            self._registry.stop()
        for node in self.resources.values():
            node.disconnect_all()
        server, self._server = self._server, None
        pod_resources, self._pod_resources = self._pod_resources, None
        if server is not None:
            await kill(server)
        if pod_resources is not None:
            await kill(pod_resources)
        self.say("kubelet stopped")

    def _make_server(self, wipe: bool) -> Server:
        return Server(
            RegistrationSocket(self.socket, wipe),
            [Method(REGISTER, RegisterRequest, self._register)],
            reactor=self._reactor,
            grace=0.0,
        )

    async def _register(self, request: RegisterRequest) -> Empty:
        self.arrived(request)
        error = ""
        try:
            await self._accept(request)
        except CallFailed as failure:
            error = failure.details
            raise
        finally:
            self.record(request.resource_name, request.endpoint, request.version, error)
        return Empty()

    async def _accept(self, request: RegisterRequest) -> None:
        if self.hanging:
            await Deferred()
        check_request(request)
        # The kubelet joins the endpoint to its directory, an absolute one too.
        await self.connect(request.resource_name, f"{self.directory}/{request.endpoint}")

    # The `RegistryHost` of the PluginsRegistry

    def takes(self, resource: str) -> bool:
        """Whether a kubelet accepts the name for an extended resource."""
        return is_extended_resource_name(resource)

    async def connect(self, resource: str, path: str) -> None:
        """Begin to use the plugin that serves `resource` on the socket `path`."""
        # A call goes on if its answer was on its way when it was cancelled.
        if self._over:
            raise CallFailed("UNKNOWN", "the kubelet is ending")
        if self.refusal is not None:
            raise CallFailed("UNKNOWN", self.refusal)
        node = self.resources.setdefault(resource, NodeResource(resource, self, self._reactor))
        await node.connect(path)

    def disconnect(self, resource: str) -> None:
        """Drop the plugin of `resource`."""
        if resource in self.resources:
            self.resources[resource].end_stream()

    def arrived(self, request: RegisterRequest) -> None:
        """A Register call has arrived and is not checked yet; for subclasses."""

    # The `ResourceObserver` of a NodeResource, with `say`

    def list_taken(self, resource: str, message: ListAndWatchResponse) -> None:
        """Write a checkpoint, as a kubelet does after every list."""
        self._write_checkpoint()

    def _write_checkpoint(self) -> None:
        try:
            write_checkpoint(self.directory, self.pods)
        except (BadSetting, OSError) as error:  # a kubelet goes on when its disk is full, too
            self.say(str(error))
