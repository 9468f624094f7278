"""What a check works with: to begin, to wait, to look and to call."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from google.protobuf.message import Message

from twistdp.conformance.calling import Answer, Caller, Watched
from twistdp.conformance.checking import Failed, Skipped
from twistdp.conformance.deaf import DeafStream, open_deaf
from twistdp.conformance.hardware import Hardware
from twistdp.conformance.kubelet import Arrival, Listed
from twistdp.conformance.plan import Plan
from twistdp.conformance.program import LOOK
from twistdp.conformance.stage import Stage
from twistdp.kubelet import ALLOCATE, GET_OPTIONS
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    AllocateRequest,
    AllocateResponse,
    ContainerAllocateRequest,
    DevicePluginOptions,
    Empty,
)

M = TypeVar("M", bound=Message)

SECOND = 1.1
"""Seconds after which a socket that is named by the second has another name."""


class Bench(Stage):
    """A `Stage` with one resource to look at.

    `resource` is its name; it is empty where no plugin has been accepted yet.  `found` are the
    ids and the health of its devices as a first look has shown them; empty where nobody looked.
    """

    def __init__(
        self,
        plan: Plan,
        resource: str,
        reactor: Any,
        found: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(plan, reactor)
        self.resource = resource
        self._found = Counter(found.values())
        self.hardware = Hardware(self, reactor)
        self._callers: list[Caller] = []
        self._deaf: list[DeafStream] = []

    # Life

    async def begin(self) -> set[str]:
        """Start kubelet and plugin; returns the ids of the devices once all are listed."""
        await self.kubelet.start()
        self.start_plugin()
        return await self.complete()

    async def start_again(self) -> None:
        """Start another process of the plugin after the first has ended, as a supervisor does.

        Not within the same second: many plugins put the time into the name of their socket, so
        that what comes of it would be a matter of chance.
        """
        await self.pause(SECOND)
        self.start_plugin()

    async def arrives(self) -> Arrival:
        """Start kubelet and plugin, and wait for the first registration, accepted or not.

        Its resource is the one to look at from now on.
        """
        await self.kubelet.start()
        self.start_plugin()

        def mine() -> list[Arrival]:
            wanted = self.plan.resource
            return [one for one in self.kubelet.arrivals if wanted in (None, one.resource)]

        await self.until("the plugin registers", mine)
        self.resource = mine()[0].resource
        return mine()[0]

    async def listed(self) -> set[str]:
        """Wait until the plugin is registered and a list has come, complete or not."""

        def done() -> bool:
            node = self.kubelet.resources.get(self.resource)
            return node is not None and node.connected and node.listed

        await self.until(f"{self.resource} is registered and listed", done)
        return set(self.devices)

    async def complete(self) -> set[str]:
        """The same, and wait for as many devices, and as many healthy ones, as were found first.

        What a plugin lists for a moment before is a matter of chance.  `list.first-complete`
        looks for that, and no other check shall depend on it.
        """
        await self.listed()
        if self._found:
            count, healthy = self._found.total(), self._found["Healthy"]
            await self.until(
                f"{count} devices are listed, {healthy} of them healthy, as at the first look",
                lambda: Counter(self.devices.values()) == self._found,
            )
        return set(self.devices)

    async def listed_again(self, ids: set[str]) -> None:
        """Wait until the plugin is registered and lists just `ids`, as it did before."""
        await self.listed()
        try:
            await self.until("the same devices", lambda: self.devices.keys() == ids)
        except Failed:
            self.require(
                self.plugin.status is not None or self.devices.keys() == ids,
                f"listed before: {shortened(ids)}; afterwards: {shortened(self.devices)}",
            )
            raise

    async def terminate(self) -> None:
        """End the plugin as an upgrade does: SIGTERM, and SIGKILL after the user's patience."""
        self.plugin.signal("TERM")
        deadline = self._reactor.seconds() + self.plan.patience
        while self.plugin.status is None and self._reactor.seconds() < deadline:
            await self.pause(LOOK)
        await self.plugin.kill_all()
        node = self.kubelet.resources[self.resource]
        await self.until("the kubelet sees its end", lambda: not node.connected, alone=True)

    def last_steps(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """See `Stage`: the devices are put back while the plugin still runs."""
        callers = [caller.close for caller in self._callers]
        mine = *callers, self._close_deaf, self.hardware.restore, self.hardware.end
        return *mine, *super().last_steps()

    async def _close_deaf(self) -> None:
        for stream in self._deaf:
            stream.close()

    # Looking

    @property
    def devices(self) -> dict[str, str]:
        """Ids and health, as the kubelet has them."""
        return self.kubelet.devices(self.resource)

    @property
    def healthy(self) -> list[str]:
        """The ids of the healthy devices, in the list's order."""
        return [id_ for id_, health in self.devices.items() if health == "Healthy"]

    def need(self, count: int) -> list[str]:
        """`count` healthy devices; raises `Skipped` where there are not as many."""
        healthy = self.healthy
        if len(healthy) < count:
            raise Skipped(f"needs {count} healthy devices, {self.resource} has {len(healthy)}")
        return healthy[:count]

    @property
    def lists(self) -> list[Listed]:
        """The lists of the resource that came over the kubelet's streams."""
        return [one for one in self.kubelet.lists if one.resource == self.resource]

    @property
    def socket(self) -> str:
        """The plugin's socket, as it was registered last."""
        for registration in reversed(self.kubelet.registrations):
            if registration.resource == self.resource and not registration.error:
                return self.kubelet.path_of(registration.endpoint)
        raise Failed(f"{self.resource} is not registered")

    @property
    def accepted(self) -> int:
        """How often the resource was registered."""
        return sum(
            one.resource == self.resource and not one.error for one in self.kubelet.registrations
        )

    @property
    def streams_ended(self) -> int:
        """How many of the kubelet's streams have ended, its own ends apart."""
        return self.kubelet.resources[self.resource].streams_ended

    # Calling

    def caller(self, path: str = "", **options: Any) -> Caller:
        """A new client of the plugin's socket, or of `path`, closed after the check.

        `options` are those of a `twistdp.rpc.Channel`.
        """
        caller = Caller(path or self.socket, reactor=self._reactor, say=self.say, **options)
        self._callers.append(caller)
        return caller

    async def call(
        self, method: str, request: Message | bytes, answer: type[M], path: str = ""
    ) -> Answer[M]:
        """A call over a connection of its own."""
        caller = self.caller(path)
        try:
            return await caller.call(method, request, answer, self.plan.patience)
        finally:
            self._callers.remove(caller)
            await caller.close()

    async def allocate(self, *containers: Iterable[str]) -> Answer[AllocateResponse]:
        """Allocate for containers that want these ids."""
        return await self.call(ALLOCATE, allocation(*containers), AllocateResponse)

    async def options(self) -> DevicePluginOptions:
        """What the plugin says of itself; raises `Failed` if it does not answer."""
        answer = await self.call(GET_OPTIONS, Empty(), DevicePluginOptions)
        self.require(answer.ok, f"GetDevicePluginOptions was answered with {answer}")
        return answer.message

    async def sound(self) -> None:
        """See that the plugin serves as before: a full list, and a device if there is any.

        It has as long as the user's patience: it may be just registering again.
        """
        watched = self.watch()

        def serves() -> bool:
            nonlocal watched
            if watched.ended:
                watched = self.watch()
            return bool(watched.lists) and watched.ids == self.devices.keys()

        await self.until(f"a new stream lists {shortened(self.devices)}", serves)
        watched.cancel()
        deadline = self.seconds + self.plan.patience
        while self.healthy:
            answer = await self.allocate(self.healthy[:1])
            if answer.ok:
                break
            self.require(self.seconds < deadline, f"Allocate is answered with {answer}")
            await self.pause(LOOK)

    def watch(self) -> Watched:
        """A ListAndWatch stream over a connection of its own."""
        return self.caller().watch()

    async def neglect(self) -> DeafStream:
        """A ListAndWatch stream of which nothing is taken, closed after the check."""
        stream = await open_deaf(self.socket, self._reactor)
        self._deaf.append(stream)
        return stream


def allocation(*containers: Iterable[str]) -> AllocateRequest:
    """A request for containers that want these ids."""
    return AllocateRequest(
        container_requests=[ContainerAllocateRequest(devices_ids=ids) for ids in containers]
    )


def shortened(ids: Iterable[str]) -> str:
    """Ids in a line for people, the first few of many."""
    ids = sorted(ids)
    if len(ids) > 8:
        return f"{len(ids)} devices ({', '.join(ids[:8])}, …)"
    return ", ".join(ids) or "no devices"
