"""A broken plugin for every check: each does one thing wrong.

``python -m tests.conformance.bugs NAME PLUGIN_DIR WORK_DIR [REGISTRY_DIR]`` runs one; the name
``none`` is the plugin that is right.
"""

import asyncio
import contextlib
import os
import random
import sys
import threading
from collections.abc import Iterable
from typing import Any, Protocol

import grpc

from tests.conformance.subject import Lists, Plugin
from twistdp.kubelet import deviceplugin_v1beta1_pb2 as api
from twistdp.kubelet import pluginregistration_v1_pb2 as registration

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Bug(Plugin):
    """A plugin that fails `check`, or passes with a warning where `verdict` says so."""

    check = ""
    verdict = "fail"
    registry = False
    """Whether it must be found in the plugins registry to show its bug."""
    accepted = True
    """Whether a kubelet accepts it at all."""
    gave_up = False
    """Whether it will not register again, whatever happens."""

    def outdated(self) -> bool:
        return not self.gave_up and super().outdated()


# registration


class NeverRegisters(Bug):
    """Serves without registering."""

    check = "registration.registers"
    accepted = False

    async def register(self) -> None:
        pass


class OldVersion(Bug):
    """Registers with a version that kubelets no longer accept."""

    check = "registration.version"
    accepted = False
    version = "v1alpha"


class NoDomain(Bug):
    """Its resource has no domain."""

    check = "registration.resource-name"
    accepted = False
    resource = "thing"


class PathAsEndpoint(Bug):
    """Registers a path instead of the name of its socket."""

    check = "registration.endpoint"

    async def register(self) -> None:
        self.endpoint = f"../{os.path.basename(os.path.dirname(self.socket))}/thing.sock"
        await super().register()


class RegistersFirst(Bug):
    """Serves a moment after it has asked to be registered."""

    check = "registration.serve-first"

    async def serve(self) -> None:
        self.later = asyncio.create_task(self._serve_later())

    async def _serve_later(self) -> None:
        await asyncio.sleep(0.2)
        await super().serve()
        self.registered = True


class RegistersForEver(Bug):
    """Registers again every second."""

    check = "registration.once"
    at = 0.0

    async def announce(self) -> None:
        if super().outdated():
            await super().announce()
        else:
            try:
                await self.register()  # its server is the same, so that nothing else is wrong
            except grpc.aio.AioRpcError as error:
                self.refused(error)
        self.at = asyncio.get_running_loop().time()

    def outdated(self) -> bool:
        late = asyncio.get_running_loop().time() - self.at > 1.0
        return super().outdated() or (late and not self.in_registry)


class TakesNoForAnAnswer(Bug):
    """Gives up for good when the kubelet refuses it."""

    check = "registration.refused"

    def refused(self, error: grpc.aio.AioRpcError) -> None:
        if error.code() is grpc.StatusCode.UNKNOWN:
            self.gave_up = True


class EndsWithoutKubelet(Bug):
    """Ends when there is no kubelet."""

    check = "registration.kubelet-absent"

    def start(self) -> None:
        if not os.path.exists(self.kubelet_socket):
            raise SystemExit(1)


# options


class Undecided(Bug):
    """Announces something else each time."""

    check = "options.answered"

    async def GetDevicePluginOptions(
        self, request: api.Empty, context: Any
    ) -> api.DevicePluginOptions:
        self.options.pre_start_required = not self.options.pre_start_required
        return self.options


class PrefersTooFew(Bug):
    """Gives advice for one device too few."""

    check = "options.preferred"

    async def GetPreferredAllocation(
        self, request: api.PreferredAllocationRequest, context: Any
    ) -> api.PreferredAllocationResponse:
        answer = await super().GetPreferredAllocation(request, context)
        for part in answer.container_responses:
            del part.deviceIDs[-1:]
        return answer


class CannotPreStart(Bug):
    """Announces PreStartContainer and does not have it."""

    check = "options.pre-start"

    async def PreStartContainer(
        self, request: api.PreStartContainerRequest, context: Any
    ) -> api.PreStartContainerResponse:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "not here")
        raise AssertionError("abort() raises")


class SurprisedByCalls(Bug):
    """Announces no method, and dies when one is called."""

    check = "options.unannounced"

    def __init__(self, *places: str) -> None:
        super().__init__(*places)
        self.options = api.DevicePluginOptions()

    async def GetPreferredAllocation(
        self, request: api.PreferredAllocationRequest, context: Any
    ) -> api.PreferredAllocationResponse:
        os._exit(1)


# list


class PartFirst(Bug):
    """Each stream begins with a part of the devices."""

    check = "list.first-complete"

    async def ListAndWatch(self, request: api.Empty, context: Any) -> Lists:
        first = self.listed()
        del first.devices[-1:]
        yield first
        await asyncio.sleep(0.2)
        async for message in super().ListAndWatch(request, context):
            yield message


class NothingFirst(Bug):
    """The first list of each process is empty, and the full one comes a moment later."""

    check = "list.first-complete"
    told = False

    async def ListAndWatch(self, request: api.Empty, context: Any) -> Lists:
        if not self.told:
            yield api.ListAndWatchResponse()
            await asyncio.sleep(0.001)
            self.told = True
        async for message in super().ListAndWatch(request, context):
            yield message


class LongId(Bug):
    """One id has 64 characters."""

    check = "list.ids"

    def look(self) -> dict[str, str]:
        return {**super().look(), "x" * 64: "Healthy"}


class OddHealth(Bug):
    """One device is neither healthy nor unhealthy."""

    check = "list.health"

    def look(self) -> dict[str, str]:
        return {**super().look(), "odd": "OK"}


class OddNode(Bug):
    """One device is on the NUMA node -1, as sysfs has it."""

    check = "list.topology"

    def listed(self) -> api.ListAndWatchResponse:
        message = super().listed()
        for device in message.devices[:1]:
            device.topology.nodes.add(ID=-1)
        return message


class AnyOrder(Bug):
    """Each list has another order."""

    check = "list.order"
    verdict = "warn"

    async def ListAndWatch(self, request: api.Empty, context: Any) -> Lists:
        async for message in super().ListAndWatch(request, context):
            devices = list(message.devices)
            while [device.ID for device in devices] == sorted(self.devices):
                random.shuffle(devices)
            yield api.ListAndWatchResponse(devices=devices)


class NewIds(Bug):
    """Each process has other ids."""

    check = "list.ids-stable"

    def look(self) -> dict[str, str]:
        return {f"{id_}-{os.getpid()}": state for id_, state in super().look().items()}


class Chatterbox(Bug):
    """Sends the same list again and again."""

    check = "list.quiet"

    async def ListAndWatch(self, request: api.Empty, context: Any) -> Lists:
        following = super().ListAndWatch(request, context)
        message = await anext(following)
        coming = asyncio.ensure_future(anext(following))
        try:
            while True:
                yield message
                done, _ = await asyncio.wait([coming], timeout=0.1)
                if done:
                    message = coming.result()
                    coming = asyncio.ensure_future(anext(following))
        finally:
            coming.cancel()


class TooMany(Bug):
    """Lists more than fits into a message."""

    check = "list.size"
    accepted = False

    def look(self) -> dict[str, str]:
        return {f"{number:060}": "Healthy" for number in range(60000)}


class Frozen(Bug):
    """Always lists what it has listed first."""

    check = "list.hotplug"

    def look(self) -> dict[str, str]:
        return self.devices or super().look()


class NeverHeals(Bug):
    """A device that was unhealthy once stays unhealthy."""

    check = "list.unhealthy"

    def look(self) -> dict[str, str]:
        found = super().look()
        ill = {id_ for id_, state in self.devices.items() if state == "Unhealthy"}
        return {id_: "Unhealthy" if id_ in ill else state for id_, state in found.items()}


class SharedQueue(Bug):
    """Its streams share the updates between them."""

    check = "list.two-streams"

    def __init__(self, *places: str) -> None:
        super().__init__(*places)
        self.queue: asyncio.Queue[api.ListAndWatchResponse] = asyncio.Queue()

    async def refresh(self) -> None:
        before = self.devices
        await super().refresh()
        if self.devices != before and self.streams:
            self.queue.put_nowait(self.listed())

    async def ListAndWatch(self, request: api.Empty, context: Any) -> Lists:
        following = super().ListAndWatch(request, context)
        try:
            yield await anext(following)
            while True:
                yield await self.queue.get()
        finally:
            await following.aclose()


class OneForAll(Bug):
    """When a stream is cancelled, all end."""

    check = "list.cancelled"
    ending = 0

    async def ListAndWatch(self, request: api.Empty, context: Any) -> Lists:
        following = super().ListAndWatch(request, context)
        ending = self.ending
        coming = asyncio.ensure_future(anext(following))
        try:
            while ending == self.ending:
                done, _ = await asyncio.wait([coming], timeout=0.02)
                if done:
                    yield coming.result()
                    coming = asyncio.ensure_future(anext(following))
        finally:
            coming.cancel()
            self.ending += self.streams > 1
            self.stream_lost()


class OneAfterTheOther(Bug):
    """Writes to its streams one after the other."""

    check = "list.slow-reader"

    def __init__(self, *places: str) -> None:
        super().__init__(*places)
        self.writing = asyncio.Lock()

    async def ListAndWatch(self, request: api.Empty, context: Any) -> Lists:
        async for message in super().ListAndWatch(request, context):
            async with self.writing:
                yield message


class SevenStreams(Bug):
    """Serves no more than seven streams."""

    check = "list.slow-reader"

    async def ListAndWatch(self, request: api.Empty, context: Any) -> Lists:
        if self.streams >= 7:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no more streams")
        async for message in super().ListAndWatch(request, context):
            yield message


# allocate


class OddPermissions(Bug):
    """Gives devices with invalid permissions."""

    check = "allocate.known"

    def give(self, response: api.ContainerAllocateResponse, id_: str) -> None:
        super().give(response, id_)
        response.devices[-1].permissions = "rx"


class Accountant(Bug):
    """Gives another answer when a device has been given before."""

    check = "allocate.repeated"
    given = 0

    def give(self, response: api.ContainerAllocateResponse, id_: str) -> None:
        self.given += 1
        super().give(response, id_)
        response.envs["GIVEN"] = str(self.given)


class TwoAtMost(Bug):
    """Forgets all devices after the second."""

    check = "allocate.many"

    def container(self, ids: Iterable[str]) -> api.ContainerAllocateResponse:
        return super().container(list(ids)[:2])


class OrderMatters(Bug):
    """Gives more when the ids come in another order."""

    check = "allocate.order"

    def container(self, ids: Iterable[str]) -> api.ContainerAllocateResponse:
        response = super().container(ids)
        if ids != sorted(ids) and len(set(ids)) == 2:
            response.devices.add(host_path="/dev/zero", container_path="/dev/z", permissions="r")
        return response


class GivesAnything(Bug):
    """Allocates unknown devices."""

    check = "allocate.unknown"

    async def check_id(self, id_: str, context: Any) -> None:
        if id_ in self.devices:
            await super().check_id(id_, context)


class GivesTheIll(Bug):
    """Allocates unhealthy devices."""

    check = "allocate.unhealthy"
    verdict = "warn"

    async def check_id(self, id_: str, context: Any) -> None:
        if self.devices.get(id_) != "Unhealthy":
            await super().check_id(id_, context)


class SomethingForNothing(Bug):
    """Gives a device to a container that asks for none."""

    check = "allocate.empty"

    def container(self, ids: Iterable[str]) -> api.ContainerAllocateResponse:
        return super().container(ids or sorted(self.devices)[:1])


class TwiceTheSame(Bug):
    """Gives a device as often as its id is there."""

    check = "allocate.duplicates"

    def container(self, ids: Iterable[str]) -> api.ContainerAllocateResponse:
        response = api.ContainerAllocateResponse()
        for id_ in sorted(ids):
            self.give(response, id_)
        return response


class OneContainer(Bug):
    """Answers for the first container only."""

    check = "allocate.containers"

    async def Allocate(self, request: api.AllocateRequest, context: Any) -> api.AllocateResponse:
        answer = await super().Allocate(request, context)
        del answer.container_responses[1:]
        return answer


class SharedState(Bug):
    """Stores requests where all calls store them."""

    check = "allocate.concurrent"

    async def Allocate(self, request: api.AllocateRequest, context: Any) -> api.AllocateResponse:
        self.request = request
        await asyncio.sleep(0.02)
        return await super().Allocate(self.request, context)


# identity


class TwoNames(Bug):
    """Gives one device by another name of the node that all have."""

    check = "identity.once"

    def give(self, response: api.ContainerAllocateResponse, id_: str) -> None:
        link = os.path.join(self.work_dir, "..", "null")
        with contextlib.suppress(FileExistsError):
            os.symlink("/dev/null", link)
        super().give(response, id_)
        if id_ == "a":
            response.devices[-1].host_path = link


class PlacesInAList(Bug):
    """Ids are the places of the devices in a list, the last one first."""

    check = "identity.neighbours"

    def name(self, path: str) -> str:
        return f"thing{self.files()[::-1].index(path)}"


class InOrderOfArrival(Bug):
    """Ids are numbers in the order in which devices are found."""

    check = "identity.restart"

    def __init__(self, *places: str) -> None:
        super().__init__(*places)
        self.found: list[str] = []

    def name(self, path: str) -> str:
        if path not in self.found:
            self.found += [one for one in self.files()[::-1] if one not in self.found]
        return f"thing{self.found.index(path)}"


class RenamesNamesakes(Bug):
    """Ids are the last names; where two are the same, both have a directory's name before."""

    check = "identity.namesake"

    def name(self, path: str) -> str:
        last = os.path.basename(path)
        if sum(os.path.basename(one) == last for one in self.files()) == 1:
            return last
        return f"{os.path.basename(os.path.dirname(path))}-{last}"


class PrefersLinks(Bug):
    """Calls a device by a link to it as soon as there is one."""

    check = "identity.alias"

    def name(self, path: str) -> str:
        for entry in os.scandir(self.work_dir):
            if entry.is_symlink() and os.path.realpath(entry.path) == path:
                return entry.name
        return super().name(path)


class RemembersTheGone(Bug):
    """Allocates devices that have gone."""

    check = "identity.gone"

    def __init__(self, *places: str) -> None:
        super().__init__(*places)
        self.ever: set[str] = set()

    async def check_id(self, id_: str, context: Any) -> None:
        self.ever |= self.devices.keys()
        if id_ in self.devices or id_ not in self.ever:
            await super().check_id(id_, context)


# restart


class RegistersOnce(Bug):
    """Registers only once."""

    check = "restart.kubelet"
    once = False

    async def announce(self) -> None:
        if not self.once:
            await super().announce()
            self.once = self.registered


class Impatient(Bug):
    """Gives up when a kubelet that it knew refuses to connect for two seconds."""

    check = "restart.slow"
    since: float | None = None

    def refused(self, error: grpc.aio.AioRpcError) -> None:
        now = asyncio.get_running_loop().time()
        if self.kubelet is not None:
            self.since = self.since or now
            if now - self.since > 2:
                self.gave_up = True

    def kubelet_now(self) -> object:
        found = super().kubelet_now()
        if found is None:
            self.since = None
        return found

    async def announce(self) -> None:
        await super().announce()
        if self.registered:
            self.since = None


class BlindedByAbsence(Bug):
    """Stops looking once kubelet.sock was gone."""

    check = "restart.socket-absent"

    def kubelet_now(self) -> object:
        found = super().kubelet_now()
        if found is None and self.kubelet is not None:
            self.gave_up = True
        return found


class HoldsItsDirectory(Bug):
    """Looks for kubelets in the directory that was there when it started."""

    check = "restart.directory"

    def start(self) -> None:
        held = os.open(os.path.dirname(self.kubelet_socket), os.O_RDONLY | os.O_DIRECTORY)
        self.kubelet_socket = f"/proc/self/fd/{held}/kubelet.sock"


class TakesNoForAnEnd(Bug):
    """Gives up when a kubelet refuses it after another has accepted it."""

    check = "restart.refused"

    def refused(self, error: grpc.aio.AioRpcError) -> None:
        if self.kubelet is not None and "refuses" in (error.details() or ""):
            self.gave_up = True


class OneAtATime(Bug):
    """Ignores kubelets for a second after it has registered."""

    check = "restart.in-a-row"
    until = 0.0

    def outdated(self) -> bool:
        if super().outdated() and asyncio.get_running_loop().time() < self.until:
            self.gave_up = True  # it has missed that for good
        return super().outdated()

    async def announce(self) -> None:
        await super().announce()
        if self.registered and self.registrations > 1:
            self.until = asyncio.get_running_loop().time() + 1.0


class CutOff(Bug):
    """Gives up when Register is interrupted."""

    check = "restart.during-register"

    def refused(self, error: grpc.aio.AioRpcError) -> None:
        if (
            "connect" not in (error.details() or "").lower()
            and error.code() is not grpc.StatusCode.UNKNOWN
        ):
            self.gave_up = True


class KnowsItsOwn(Bug):
    """Watches its own socket and stream, but not the kubelet's socket."""

    check = "restart.socket-only"

    def kubelet_now(self) -> object:
        return super().kubelet_now() is not None or None


class KnowsTheKubelets(Bug):
    """Does not notice that its own socket is gone."""

    check = "restart.own-socket"

    def outdated(self) -> bool:
        return not self.registered or self.kubelet_now() != self.kubelet


class DeafToStreams(Bug):
    """Does not notice that its stream has ended."""

    check = "restart.stream"

    def stream_lost(self) -> None:
        pass


class OnlyWhileHeard(Bug):
    """Notices changes only while somebody reads."""

    check = "restart.change-while-down"
    known: dict[str, str] | None = None

    def look(self) -> dict[str, str]:
        found = super().look()
        if self.known is None or (self.streams and found != self.known):
            self.known = found
            return found
        if not self.streams:
            self.known = found  # seen, and told to nobody
        return self.devices


class TiredAfterFive(Bug):
    """Sees no changes after its sixth registration."""

    check = "restart.ten-changes"

    def look(self) -> dict[str, str]:
        return self.devices if self.registrations > 6 else super().look()


# wire


class AnswersEverything(Bug):
    """Answers unknown methods with an empty message."""

    check = "wire.unknown-method"

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        async def empty(request: bytes, context: Any) -> bytes:
            return b""

        class Anything(grpc.GenericRpcHandler):  # type: ignore[misc]
            def service(self, details: object) -> object:
                return grpc.unary_unary_rpc_method_handler(empty)

        return [*super().handlers(), Anything()]


class Readable(Protocol):
    """A source of bytes."""

    async def read(self, most: int, /) -> bytes:
        """Read at most `size` bytes; none at the end."""


class Forwarding(Bug):
    """Has a proxy between its socket and its server."""

    async def listen(self, path: str) -> grpc.aio.Server:
        behind = os.path.join(self.work_dir, "..", "s")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(behind)
        server = await super().listen(behind)
        before = os.umask(0o177)
        self.front = await asyncio.start_unix_server(self.forward, path)
        os.umask(before)
        return server

    async def forward(self, reader: Readable, writer: asyncio.StreamWriter) -> None:
        """Handle one connection."""
        to_reader, to_writer = await asyncio.open_unix_connection(
            os.path.join(self.work_dir, "..", "s")
        )
        await asyncio.gather(self.pump(reader, to_writer), self.pump(to_reader, writer))

    async def pump(self, reader: Readable, writer: asyncio.StreamWriter) -> None:
        """Copy one direction."""
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                self.passing(data)
                writer.write(data)
        writer.close()

    def passing(self, data: bytes) -> None:
        """Look at bytes that pass."""

    async def serve(self) -> None:
        if self.server is not None:
            self.front.close()
        await super().serve()

    async def stop(self) -> int:
        if self.server is not None:
            self.front.close()
        return await super().stop()


class Picky(Forwarding):
    """Insists on the :authority localhost."""

    check = "wire.authority"

    async def pump(self, reader: Readable, writer: asyncio.StreamWriter) -> None:
        refused = b"%2F", b".invalid"

        class Listening:
            async def read(self, most: int) -> bytes:
                data = await reader.read(most)
                return b"" if any(word in data for word in refused) else data

        await super().pump(Listening(), writer)


class TrustsParsers(Bug):
    """Treats bytes that do not parse as an empty request."""

    check = "wire.malformed"

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        def parse(data: bytes) -> api.AllocateRequest:
            try:
                return api.AllocateRequest.FromString(data)
            except Exception:
                return api.AllocateRequest()

        handler = grpc.unary_unary_rpc_method_handler(
            self.Allocate, parse, lambda message: message.SerializeToString()
        )
        name = "v1beta1.DevicePlugin"
        return [
            grpc.method_handlers_generic_handler(name, {"Allocate": handler}),
            *super().handlers(),
        ]


class DiesOfGarbage(Forwarding):
    """Ends when it does not understand a client's greeting."""

    check = "wire.garbage"

    async def forward(self, reader: Readable, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(4)
        if not PREFACE.startswith(first):
            os._exit(1)
        to_reader, to_writer = await asyncio.open_unix_connection(
            os.path.join(self.work_dir, "..", "s")
        )
        to_writer.write(first)
        await asyncio.gather(self.pump(reader, to_writer), self.pump(to_reader, writer))


class KeepsConnections(Forwarding):
    """Never closes a connection that says nothing."""

    check = "wire.half-open"

    async def forward(self, reader: Readable, writer: asyncio.StreamWriter) -> None:
        kept = os.dup(writer.get_extra_info("socket").fileno())

        class Listening:
            heard = 0

            async def read(self, most: int) -> bytes:
                data = await reader.read(most)
                self.heard += len(data)
                return data

        listening = Listening()
        await super().forward(listening, writer)
        if listening.heard > 100:  # more than a greeting
            os.close(kept)


class DiesOfSize(Bug):
    """Accepts messages of any size, and ends."""

    check = "wire.large"

    def server_options(self) -> list[tuple[str, object]]:
        return [("grpc.max_receive_message_length", -1)]

    async def Allocate(self, request: api.AllocateRequest, context: Any) -> api.AllocateResponse:
        if request.ByteSize() > 4 << 20:
            os._exit(1)
        return await super().Allocate(request, context)


class DiesOfCancelling(Bug):
    """Ends when a call is cancelled under it."""

    check = "wire.cancelled"

    async def Allocate(self, request: api.AllocateRequest, context: Any) -> api.AllocateResponse:
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            os._exit(1)
        return await super().Allocate(request, context)


# process


class EndsInAnger(Bug):
    """Ends with a status of its own."""

    check = "process.sigterm"

    async def stop(self) -> int:
        return await super().stop() + 3


class EndsInAngerAlone(Bug):
    """Ends with a status of its own when it was never registered."""

    check = "process.sigterm-waiting"

    async def stop(self) -> int:
        return await super().stop() + (0 if self.registrations else 3)


class LeavesItsSocket(Bug):
    """Does not clean up."""

    check = "process.leftovers"

    async def stop(self) -> int:
        if self.server is None:
            return 0
        await self.server.stop(None)
        with contextlib.closing(__import__("socket").socket(1)) as left:
            left.bind(self.socket)
        return 0


class StopsAtItsSocket(Bug):
    """Cannot start while its old socket exists."""

    check = "process.crash"

    def start(self) -> None:
        if os.path.exists(self.socket):
            raise SystemExit(1)


class LeaksThreads(Bug):
    """Each registration costs a thread."""

    check = "process.leaks"

    async def register(self) -> None:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        await super().register()


class LeaksDescriptors(Bug):
    """Each registration leaves a descriptor open."""

    check = "process.leaks"

    async def register(self) -> None:
        os.dup(0)
        await super().register()


class OpenToAll(Bug):
    """Everybody can connect."""

    check = "process.socket-permissions"
    mode = 0o777


# registry


class OtherType(Bug):
    """Has another type than DevicePlugin."""

    check = "registry.info"
    registry = True
    accepted = False

    async def GetInfo(
        self, request: registration.InfoRequest, context: Any
    ) -> registration.PluginInfo:
        info = await super().GetInfo(request, context)
        info.type = "CSIPlugin"
        return info


class BadLoser(Bug):
    """Ends after bad news from NotifyRegistrationStatus."""

    check = "registry.notify"
    registry = True

    async def NotifyRegistrationStatus(
        self, request: registration.RegistrationStatus, context: Any
    ) -> registration.RegistrationStatusResponse:
        if not request.plugin_registered:
            raise ValueError(request.error)
        return await super().NotifyRegistrationStatus(request, context)


class Restless(Bug):
    """Replaces its socket when a kubelet has found it for the second time."""

    check = "registry.once"
    registry = True
    found = 0

    async def NotifyRegistrationStatus(
        self, request: registration.RegistrationStatus, context: Any
    ) -> registration.RegistrationStatusResponse:
        self.found += 1
        if self.found == 2:
            self.later = asyncio.get_running_loop().call_later(0.2, os.unlink, self.socket)
        return await super().NotifyRegistrationStatus(request, context)


def all_bugs(kind: type[Bug] = Bug) -> list[type[Bug]]:
    """Every broken plugin."""
    below = [bug for one in kind.__subclasses__() for bug in all_bugs(one)]
    return [*([kind] if kind.check else []), *below]


def main() -> None:
    """Run one."""
    name, *places = sys.argv[1:]
    kinds: dict[str, type[Plugin]] = {"none": Plugin, **{bug.__name__: bug for bug in all_bugs()}}

    async def run() -> int:
        return await kinds[name](*places).run()

    sys.exit(asyncio.run(run()))


if __name__ == "__main__":
    main()
