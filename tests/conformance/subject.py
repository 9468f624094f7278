"""A small, plain and correct device plugin without twistdp, for tests of the suite.

Files in a directory and below are its devices, called by their path; links are not.  One that says
``ill`` is unhealthy.  It looks at everything a hundred times a second.  The ways to break it are in
`tests.conformance.bugs`.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, Iterable
from typing import Any

import grpc

from twistdp.kubelet import deviceplugin_v1beta1_pb2 as api
from twistdp.kubelet import pluginregistration_v1_pb2 as registry

LOOK = 0.01
Lists = AsyncGenerator[api.ListAndWatchResponse, None]


class Plugin:
    """Serves `work_dir`'s files in `plugin_dir`, or in `registry_dir` if that is given."""

    resource = "check.example.com/thing"
    version = "v1beta1"
    mode = 0o600

    def __init__(self, plugin_dir: str, work_dir: str, registry_dir: str = "") -> None:
        self.kubelet_socket = os.path.join(plugin_dir, "kubelet.sock")
        self.work_dir = work_dir
        self.in_registry = bool(registry_dir)
        self.socket = os.path.join(registry_dir or plugin_dir, "thing.sock")
        self.endpoint = "thing.sock"
        self.options = api.DevicePluginOptions(
            pre_start_required=True, get_preferred_allocation_available=True
        )
        self.devices: dict[str, str] = {}
        self.changed = asyncio.Condition()
        self.server: grpc.aio.Server | None = None
        self.kubelet: object = None
        self.registrations = 0
        self.registered = False
        self.streams = 0
        self.mine = False
        """Whether the first stream of this registration, the kubelet's, has been opened."""
        self.asked = 0.0

    # Devices

    def look(self) -> dict[str, str]:
        """Ids and health, in order."""
        found = {}
        for path in self.files():
            with contextlib.suppress(FileNotFoundError), open(path, encoding="ascii") as file:
                health = "Unhealthy" if file.read().strip() == "ill" else "Healthy"
                found[self.name(path)] = health
        return found

    def files(self) -> list[str]:
        """The paths of the devices, in order."""
        return sorted(
            os.path.join(directory, name)
            for directory, _, names in os.walk(self.work_dir)
            for name in names
            if not os.path.islink(os.path.join(directory, name))
        )

    def name(self, path: str) -> str:
        """The id of the device at a path."""
        return os.path.relpath(path, self.work_dir).replace("/", ".")

    def path(self, id_: str) -> str | None:
        """The path of a device, or None."""
        return next((path for path in self.files() if self.name(path) == id_), None)

    async def refresh(self) -> None:
        """Look at the files, and send the list to all streams."""
        found = self.look()
        if found != self.devices:
            self.devices = found
            async with self.changed:
                self.changed.notify_all()

    def listed(self) -> api.ListAndWatchResponse:
        """The list as a message."""
        return api.ListAndWatchResponse(
            devices=[api.Device(ID=id_, health=state) for id_, state in self.devices.items()]
        )

    # The API

    async def GetDevicePluginOptions(
        self, request: api.Empty, context: Any
    ) -> api.DevicePluginOptions:
        return self.options

    async def ListAndWatch(self, request: api.Empty, context: Any) -> Lists:
        kubelets = not self.mine
        self.mine = True
        generation = self.registrations
        self.streams += 1
        try:
            while True:
                sent = dict(self.devices)
                yield self.listed()
                async with self.changed:
                    while self.devices == sent:
                        await self.changed.wait()
        finally:
            self.streams -= 1
            if kubelets and generation == self.registrations:
                self.stream_lost()

    def stream_lost(self) -> None:
        """Note that the kubelet has ended the stream."""
        self.registered = self.mine = False

    async def Allocate(self, request: api.AllocateRequest, context: Any) -> api.AllocateResponse:
        responses = []
        for container in request.container_requests:
            for id_ in container.devices_ids:
                await self.check_id(id_, context)
            responses.append(self.container(list(container.devices_ids)))
        return api.AllocateResponse(container_responses=responses)

    async def check_id(self, id_: str, context: Any) -> None:
        if id_ not in self.devices:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no device {id_!r}")
        if self.devices[id_] != "Healthy":
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"{id_!r} is unhealthy")

    def container(self, ids: Iterable[str]) -> api.ContainerAllocateResponse:
        """The response for one container."""
        response = api.ContainerAllocateResponse()
        for id_ in sorted(set(ids)):
            self.give(response, id_)
        return response

    def give(self, response: api.ContainerAllocateResponse, id_: str) -> None:
        """Add the parts of one device."""
        response.devices.add(host_path="/dev/null", container_path=f"/dev/{id_}", permissions="rw")
        response.envs[f"THING_{id_}"] = "1"
        if (path := self.path(id_)) is not None:
            response.mounts.add(host_path=path, container_path=f"/run/{id_}", read_only=True)

    async def GetPreferredAllocation(
        self, request: api.PreferredAllocationRequest, context: Any
    ) -> api.PreferredAllocationResponse:
        answer = api.PreferredAllocationResponse()
        for part in request.container_requests:
            must = list(part.must_include_deviceIDs)
            rest = [id_ for id_ in part.available_deviceIDs if id_ not in must]
            answer.container_responses.add(deviceIDs=[*must, *rest][: part.allocation_size])
        return answer

    async def PreStartContainer(
        self, request: api.PreStartContainerRequest, context: Any
    ) -> api.PreStartContainerResponse:
        return api.PreStartContainerResponse()

    async def GetInfo(self, request: registry.InfoRequest, context: Any) -> registry.PluginInfo:
        self.asked = asyncio.get_running_loop().time()
        return registry.PluginInfo(
            type="DevicePlugin", name=self.resource, supported_versions=[self.version]
        )

    async def NotifyRegistrationStatus(
        self, request: registry.RegistrationStatus, context: Any
    ) -> registry.RegistrationStatusResponse:
        if request.plugin_registered:
            self.registered = True
        return registry.RegistrationStatusResponse()

    # Serving

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """The methods, by their names on the wire."""
        one, many = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        methods = {
            "v1beta1.DevicePlugin": {
                "GetDevicePluginOptions": one(self.GetDevicePluginOptions, *codec(api.Empty)),
                "ListAndWatch": many(self.ListAndWatch, *codec(api.Empty)),
                "Allocate": one(self.Allocate, *codec(api.AllocateRequest)),
                "GetPreferredAllocation": one(
                    self.GetPreferredAllocation, *codec(api.PreferredAllocationRequest)
                ),
                "PreStartContainer": one(
                    self.PreStartContainer, *codec(api.PreStartContainerRequest)
                ),
            },
            "pluginregistration.Registration": {
                "GetInfo": one(self.GetInfo, *codec(registry.InfoRequest)),
                "NotifyRegistrationStatus": one(
                    self.NotifyRegistrationStatus, *codec(registry.RegistrationStatus)
                ),
            },
        }
        return [grpc.method_handlers_generic_handler(*entry) for entry in methods.items()]

    async def serve(self) -> None:
        """Replace the socket, and end all older streams."""
        self.registrations += 1
        self.mine = self.registered = False
        self.asked = asyncio.get_running_loop().time()
        if self.server is not None:
            await self.server.stop(None)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        self.server = await self.listen(self.socket)

    async def listen(self, path: str) -> grpc.aio.Server:
        """A server on a path."""
        server = grpc.aio.server(handlers=self.handlers(), options=self.server_options())
        before = os.umask(0o777 & ~self.mode)
        try:
            server.add_insecure_port(f"unix:{path}")
        finally:
            os.umask(before)
        await server.start()
        return server

    def server_options(self) -> list[tuple[str, object]]:
        """gRPC's."""
        return []

    async def register(self) -> None:
        """Register with the kubelet.  Raises grpc.aio.AioRpcError."""
        request = api.RegisterRequest(
            version=self.version,
            endpoint=self.endpoint,
            resource_name=self.resource,
            options=self.options,
        )
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(f"unix:{self.kubelet_socket}", options) as channel:
            call = channel.unary_unary(
                "/v1beta1.Registration/Register",
                api.RegisterRequest.SerializeToString,
                api.Empty.FromString,
            )
            await call(request, timeout=3)

    # Life

    def kubelet_now(self) -> object:
        """The identity of the kubelet."""
        try:
            found = os.stat(self.kubelet_socket)
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_ctime_ns

    def outdated(self) -> bool:
        """Whether the registration is no longer valid."""
        if self.in_registry:
            return not os.path.exists(self.socket) or self.forgotten()
        return (
            not self.registered
            or self.kubelet_now() != self.kubelet
            or not os.path.exists(self.socket)
        )

    def forgotten(self) -> bool:
        """Whether the kubelet has ended the stream and will not open it again by itself."""
        silence = asyncio.get_running_loop().time() - self.asked
        return not self.registered and silence > 2

    async def announce(self) -> None:
        """Serve and register."""
        if not self.in_registry and self.kubelet_now() is None:
            return
        try:
            await self.serve()
        except (OSError, RuntimeError) as error:  # gRPC's, where the directory has gone meanwhile
            sys.stderr.write(f"serve: {error}\n")
            return
        if not self.in_registry:
            kubelet = self.kubelet_now()
            try:
                await self.register()
            except grpc.aio.AioRpcError as error:
                self.refused(error)
            else:
                self.kubelet, self.registered = kubelet, True

    def refused(self, error: grpc.aio.AioRpcError) -> None:
        """Handle a failed Register, which is tried again."""
        sys.stderr.write(f"register: {error.code()} {error.details()}\n")

    async def step(self) -> None:
        """Look at everything once."""
        await self.refresh()
        if self.outdated():
            await self.announce()
            if not self.registered and not self.in_registry:
                await asyncio.sleep(0.05)

    async def run(self) -> int:
        """Run until SIGTERM, and return the exit status."""
        ended = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
        self.start()
        while not ended.is_set():
            await self.step()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), LOOK)
        return await self.stop()

    def start(self) -> None:
        """Called before the first look."""

    async def stop(self) -> int:
        """Clean up, and return the exit status."""
        if self.server is not None:
            await self.server.stop(None)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        return 0


def codec(request: Any) -> tuple[Any, Any]:
    """Deserializer and serializer."""
    return request.FromString, lambda message: message.SerializeToString()
