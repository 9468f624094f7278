"""A kubelet that is not one: the device plugin side of a node, for tests and demonstrations.

It does what a real kubelet was seen to do (Kubernetes 1.36): it dials back inside Register,
wipes every socket when it starts, never redials, marks devices unhealthy when their stream ends,
takes at most 4 MiB a message, and drops the current plugin when an older stream of the resource
ends.
"""

import os
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import Any

import attrs
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import deferLater
from twisted.logger import Logger

from twistdp.errors import BadSetting, CallFailed
from twistdp.kubelet import KUBELET_SOCKET, REGISTER, VERSION
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    ContainerAllocateResponse,
    Empty,
    ListAndWatchResponse,
    RegisterRequest,
)
from twistdp.rpc import Method, Server, keep_steady
from twistdp.testing.kubeletsocket import (
    RegistrationSocket,
    is_extended_resource_name,
    kill,
    refuse_foreign_checkpoint,
    refuse_used_directory,
    write_checkpoint,
)
from twistdp.testing.node import AdmissionRefused, NodeResource
from twistdp.testing.podresources import pod_resources_server
from twistdp.testing.pods import Holding, Pods
from twistdp.testing.registry import PluginsRegistry
from twistdp.testing.topologymanager import Policy, TopologyManager

__all__ = ["AdmissionRefused", "FakeKubelet", "NodeResource", "Registration"]

_log = Logger()

START_AGAIN = 7.75
"""Seconds until a container that could not be started is started again: three calls of
PreStartContainer were seen in 15.5 s."""


@attrs.frozen
class Registration:
    """A Register call as it came; `error` is the text that it was refused with, or empty.

    Or a plugin found in the registry: then `endpoint` is an absolute path.
    """

    resource: str
    endpoint: str
    version: str
    seconds: float
    error: str = ""


class FakeKubelet:
    """Plays the kubelet in `directory`, the plugins' ``--plugin-dir``.

    `pod_resources` is the path of a socket on which to serve pod-resources v1 for what was
    allocated.  `registry_dir`, which is made if it is missing, is where it looks for plugins by
    itself, the plugins' ``--registry-dir``.  `topology_policy` is its topology manager's, on a
    machine with the NUMA nodes `numa_nodes`; it raises `BadSetting` for what cannot be.  A
    directory in which a kubelet answers, or that holds sockets, is refused with `BadSetting`
    unless `force` is given: they would be deleted.  One with the checkpoint of a real kubelet is
    refused in any case.  `observe` is called with a line for people for everything that happens.
    `reactor` must be an asyncio reactor; None means the installed one.
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
        self.directory = os.path.abspath(directory)
        self.socket = os.path.join(self.directory, KUBELET_SOCKET)
        self.resources: dict[str, NodeResource] = {}
        """What the node has, by resource name; forgotten by a restart."""
        self.registrations: list[Registration] = []
        """Every Register call and plugin found, oldest first; kept over restarts."""
        self._topology = TopologyManager(topology_policy, tuple(numa_nodes))
        self.pods = Pods()
        """What has been allocated; kept over restarts, as the kubelet's checkpoint does."""
        self.refusal: str | None = None
        """When set, every Register is refused with this text."""
        self.hanging = False
        """When set, Register is not answered until the kubelet stops."""
        self.running = False
        self._over = False
        self._observe = observe
        self._reactor = reactor
        self._checked = force
        self._server: Server | None = None
        self._pod_resources_path = pod_resources
        self._pod_resources: Server | None = None
        self._registry: PluginsRegistry | None = None
        if registry_dir is not None:
            self._registry = PluginsRegistry(os.path.abspath(registry_dir), self, reactor)
        self._waiting: list[tuple[Callable[[], object], Deferred[None]]] = []
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
        """Stop and start; a restart asked for meanwhile follows."""

        async def restart() -> None:
            await self._stop()
            await self._start()

        return self._life.run(lambda: Deferred.fromCoroutine(restart()))

    def replace_socket(self) -> Deferred[None]:
        """Make only ``kubelet.sock`` anew: no other socket is deleted, no stream ended.

        Does nothing when the kubelet does not run; follows a restart asked for before.
        """

        async def replace() -> None:
            if self._server is None:
                return
            old, self._server = self._server, self._make_server(wipe=False)
            await kill(old)
            with suppress(FileNotFoundError):
                os.unlink(self.socket)
            await self._server.listen()
            self.say("kubelet.sock was made anew")

        return self._life.run(lambda: Deferred.fromCoroutine(replace()))

    # What the node has

    def capacity(self, resource: str) -> int:
        """Devices of a resource, healthy or not."""
        return self.resources[resource].capacity if resource in self.resources else 0

    def allocatable(self, resource: str) -> int:
        """Devices of a resource that pods may get."""
        return self.resources[resource].allocatable if resource in self.resources else 0

    def devices(self, resource: str) -> dict[str, str]:
        """Ids and health, as in the last list; all unhealthy when its stream has ended."""
        return dict(self.resources[resource].devices) if resource in self.resources else {}

    def until(self, condition: Callable[[], object], timeout: float = 5.0) -> Deferred[None]:
        """Fires as soon as `condition` is true; looked at whenever anything happens here.

        Fails with Twisted's TimeoutError after `timeout` seconds.
        """
        waiting: Deferred[None] = Deferred()
        self._waiting.append((condition, waiting))
        waiting.addTimeout(timeout, self._reactor)
        self._changed()
        return waiting

    def listed(self, resource: str, ids: Iterable[str], timeout: float = 5.0) -> Deferred[None]:
        """Fires when just these devices of a resource are allocatable."""
        wanted = set(ids)
        return self.until(
            lambda: (
                self.devices(resource).keys() == wanted
                and self.allocatable(resource) == len(wanted)
            ),
            timeout,
        )

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
        """Admit a container that wants `count` devices, or just the ones in `ids`.

        One admission at a time, as in a kubelet.  Fails with `AdmissionRefused`, whose text is
        what a pod's status would show.
        """

        async def admit() -> ContainerAllocateResponse:
            node = self.resources.get(resource)
            if node is None:
                raise AdmissionRefused(f"{resource}: no such resource on this node")
            taken = self.pods.taken(resource)
            chosen, answer = await node.allocate(count, taken, ids, self._topology)
            self.pods.add(namespace, pod, container, resource, chosen, node)
            self.say(f"allocated {resource} {' '.join(chosen)} to {namespace}/{pod}")
            return answer

        return self._admission.run(lambda: Deferred.fromCoroutine(admit()))

    def start_container(
        self, pod: str = "pod", *, container: str = "main", namespace: str = "default"
    ) -> Deferred[None]:
        """Start a container that was allocated to, or start it again.

        Calls PreStartContainer of each plugin that has announced it, and calls again while it
        fails, as a kubelet does.  Fires when the container has started, or the pod was released.
        """

        async def start() -> None:
            held = self.pods.held(namespace, pod, container)
            while problem := await self._problem(held):
                self.say(f"{namespace}/{pod}: CreateContainerConfigError: {problem}")
                await deferLater(self._reactor, START_AGAIN)
                held = self.pods.held(namespace, pod, container)
            if held:
                self.say(f"started {namespace}/{pod}")

        return Deferred.fromCoroutine(start())

    def release(self, pod: str, namespace: str = "default") -> None:
        """The pod has ended; no plugin is told."""
        self.pods.remove(namespace, pod)
        self.say(f"released {namespace}/{pod}")

    # Inside

    async def _problem(self, held: Iterable[Holding]) -> str:
        """Why a container with these devices cannot be started, or nothing."""
        for one in held:
            node = self.resources.get(one.resource)
            if node is None:
                return f"endpoint not found in cache for a registered resource: {one.resource}"
            try:
                await node.start_container(one.ids)
            except AdmissionRefused as error:
                return str(error)
        return ""

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
                self._pod_resources_path, self.pods, self.resources, self._reactor
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
        if request.version != VERSION:
            raise CallFailed(
                "UNKNOWN",
                f'requested API version "{request.version}" is not supported by kubelet. '
                f'Supported version is ["{VERSION}"]',
            )
        if not is_extended_resource_name(request.resource_name):
            raise CallFailed("UNKNOWN", f'the ResourceName "{request.resource_name}" is invalid')
        # The kubelet joins the endpoint to its directory, an absolute one too.
        await self.connect(request.resource_name, f"{self.directory}/{request.endpoint}")

    def _changed(self) -> None:
        """Something happened: look at what `until` waits for."""
        for entry in list(self._waiting):
            condition, waiting = entry
            if waiting.called:
                self._waiting.remove(entry)
            elif condition():
                self._waiting.remove(entry)
                waiting.callback(None)

    # What the PluginsRegistry asks (its `Host`)

    def takes(self, resource: str) -> bool:
        """Whether a kubelet takes the name for an extended resource."""
        return is_extended_resource_name(resource)

    async def connect(self, resource: str, path: str) -> None:
        """Begin to use the plugin that serves `resource` on the socket `path`."""
        # A call whose answer was on its way when it was cancelled goes on.
        if self._over:
            raise CallFailed("UNKNOWN", "the kubelet is ending")
        if self.refusal is not None:
            raise CallFailed("UNKNOWN", self.refusal)
        node = self.resources.setdefault(resource, NodeResource(resource, self, self._reactor))
        await node.connect(path)

    def disconnect(self, resource: str) -> None:
        """Let go of the plugin of `resource`."""
        if resource in self.resources:
            self.resources[resource].end_stream()

    def record(self, resource: str, endpoint: str, version: str, error: str) -> None:
        """A plugin was registered, or refused with a text."""
        now = self._reactor.seconds()
        self.registrations.append(Registration(resource, endpoint, version, now, error))
        self.say(f"{resource} ({endpoint}) " + (f"refused: {error}" if error else "registered"))

    def arrived(self, request: RegisterRequest) -> None:
        """A Register has come and has not been looked at; for subclasses."""

    # What a NodeResource tells (its `Host`)

    def list_taken(self, resource: str, message: ListAndWatchResponse) -> None:
        """Write the file that the kubelet writes after every list, the way it does."""
        try:
            write_checkpoint(self.directory)
        except (BadSetting, OSError) as error:  # on a full disk the kubelet goes on, too
            self.say(str(error))

    def say(self, line: str) -> None:
        """Tell the observer, and look at what is waited for."""
        self._observe(line)
        self._changed()
