"""An emulated kubelet: the device plugin side of a node, for tests and demonstrations.

It does what a real kubelet does (observed with Kubernetes 1.36): it dials back inside Register,
deletes every socket when it starts, never redials, marks devices unhealthy when their stream ends,
accepts at most 4 MiB a message, and drops the current plugin when an older stream of the resource
ends.
"""

import os
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred, DeferredLock

from twistdp.errors import BadSetting, CallFailed
from twistdp.kubelet import KUBELET_SOCKET, REGISTER
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    Empty,
    ListAndWatchResponse,
    RegisterRequest,
)
from twistdp.rpc import Method, Server, keep_steady
from twistdp.testing.admission import AdmittingNode
from twistdp.testing.endpoint import AdmissionRefused
from twistdp.testing.kubeletdirectory import refuse_used_directory, write_checkpoint
from twistdp.testing.kubeletsocket import (
    RegistrationSocket,
    check_request,
    is_extended_resource_name,
    kill,
)
from twistdp.testing.node import NodeResource
from twistdp.testing.observed import Registration
from twistdp.testing.topologymanager import Policy, TopologyManager

if TYPE_CHECKING:
    from twistdp.testing.registry import PluginsRegistry

__all__ = ["AdmissionRefused", "FakeKubelet", "NodeResource", "Registration"]

KNOWS_AFTER: Final = 0.9
"""Seconds after its start for which a kubelet lists no pod of the API server."""


class FakeKubelet(AdmittingNode):
    """Plays the kubelet in `directory`, the plugins' ``--plugin-dir``.

    `pod_resources` is the path of a socket for pod-resources v1, which lists what was allocated.
    With `list_ended_pods` it also lists pods that have ended, as kubelets before 1.34 do.
    `registry_dir`, the plugins' ``--registry-dir``, is the directory that its plugin watcher
    watches; it is made if it is missing.  `topology_policy` is its topology manager's, on a machine
    with the NUMA nodes `numa_nodes`; an impossible one raises `BadSetting`.  So does `start` if
    `directory` is, or may be, another kubelet's, or holds sockets of something else; `force` allows
    all but the checkpoint of a real kubelet: see `refuse_used_directory`.  `observe` is called with
    a line for people for everything that happens.  `reactor` must be an asyncio reactor; None means
    the installed one.
    """

    def __init__(
        self,
        directory: str,
        *,
        pod_resources: str | None = None,
        list_ended_pods: bool = False,
        registry_dir: str | None = None,
        topology_policy: Policy = "none",
        numa_nodes: Collection[int] = (0, 1),
        force: bool = False,
        observe: Callable[[str], None] = lambda line: None,
        reactor: Any = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        super().__init__(
            observe,
            reactor,
            topology=TopologyManager(topology_policy, tuple(numa_nodes)),
            list_ended_pods=list_ended_pods,
        )
        self.directory = os.path.abspath(directory)
        self.socket = os.path.join(self.directory, KUBELET_SOCKET)
        self.refusal: str | None = None
        """Every Register is refused with this text, unless it is None."""
        self.hanging = False
        """Whether Register gets no answer until the kubelet stops."""
        self.api_server = True
        """Whether the API server answers: see `knows_pods`."""
        self.running = False
        self._knows_pods = False
        self._started = 0.0
        self._over = False
        self._checked = force
        self._server: Server | None = None
        self._pod_resources_path = pod_resources
        self._pod_resources: Server | None = None
        self._registry = None if registry_dir is None else self._make_registry(registry_dir)
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

    @property
    def knows_pods(self) -> bool:
        """Whether pod-resources lists the pods: for about a second after its start, and until the
        API server answers, a kubelet lists only those of files, whatever the others hold."""
        late = self._reactor.seconds() >= self._started + KNOWS_AFTER
        self._knows_pods |= self.running and self.api_server and late
        return self._knows_pods

    # Inside

    async def _start(self) -> None:
        keep_steady(self._reactor)
        refuse_used_directory(self.directory, force=self._checked)
        self._checked = True
        self._over = False
        self.resources.clear()
        self._server = self._make_server(wipe=True)
        await self._server.listen()
        self.write_checkpoint()  # marks the directory as an emulated kubelet's, for the next one
        if self._pod_resources_path is not None:
            from twistdp.testing.podresources import pod_resources_server

            self._pod_resources = pod_resources_server(
                self._pod_resources_path,
                self.pods,
                self.resources,
                self._reactor,
                knows_pods=lambda: self.knows_pods,
            )
            await self._pod_resources.listen()
        self.running = True
        self._knows_pods, self._started = False, self._reactor.seconds()
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

    def _make_registry(self, directory: str) -> "PluginsRegistry":
        from twistdp.testing.registry import PluginsRegistry

        return PluginsRegistry(os.path.abspath(directory), self, self._reactor)

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
        self.write_checkpoint()

    def write_checkpoint(self) -> None:
        """See `AdmittingNode`."""
        try:
            write_checkpoint(self.directory, self.pods)
        except (BadSetting, OSError) as error:  # a kubelet goes on when its disk is full, too
            self.say(str(error))
