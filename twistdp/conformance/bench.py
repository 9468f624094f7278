"""The tools of a check: it can start, wait, look and call."""

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
"""Seconds after which a socket that is named after the time in seconds has another name."""


class Bench(Stage):
    """A `Stage` with one resource to check.

    `resource` is its name, and empty as long as the kubelet has accepted none.  `found` are the ids
    and the health of its devices at the first look; empty without one.
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
        """Start kubelet and plugin, and return the ids of the devices once all are listed."""
        await self.kubelet.start()
        self.start_plugin()
        return await self.complete()

    async def start_again(self) -> None:
        """Start another process of the plugin after the first has ended, as a supervisor does.

        It starts in another second, since many plugins put the time into the name of their socket,
        and the result would depend on chance.
        """
        await self.pause(SECOND)
        self.start_plugin()

    async def arrives(self) -> Arrival:
        """Start kubelet and plugin, and wait for the first registration, accepted or not.

        Its resource is the one to check from now on.
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
        """The same, and wait for as many devices, and as many healthy ones, as at the first look.

        A plugin's list before that depends on chance.  Only `list.first-complete` looks at it.
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
        """Wait until the plugin is registered and lists exactly `ids`, as before."""
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
        """See `Stage`: the devices are restored while the plugin still runs."""
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
        """`count` healthy devices.  Raises `Skipped` if there are fewer."""
        healthy = self.healthy
        if len(healthy) < count:
            raise Skipped(f"needs {count} healthy devices, {self.resource} has {len(healthy)}")
        return healthy[:count]

    @property
    def lists(self) -> list[Listed]:
        """The lists of the resource from the kubelet's streams."""
        return [one for one in self.kubelet.lists if one.resource == self.resource]

    @property
    def socket(self) -> str:
        """The path of the plugin's socket, as registered last."""
        for registration in reversed(self.kubelet.registrations):
            if registration.resource == self.resource and not registration.error:
                return self.kubelet.path_of(registration.endpoint)
        raise Failed(f"{self.resource} is not registered")

    @property
    def accepted(self) -> int:
        """How often the kubelet has accepted the resource."""
        return sum(
            one.resource == self.resource and not one.error for one in self.kubelet.registrations
        )

    @property
    def streams_ended(self) -> int:
        """How many of the kubelet's streams have ended, without those that it ended itself."""
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
        """The plugin's options.  Raises `Failed` if it does not answer."""
        answer = await self.call(GET_OPTIONS, Empty(), DevicePluginOptions)
        self.require(answer.ok, f"GetDevicePluginOptions was answered with {answer}")
        return answer.message

    async def sound(self) -> None:
        """Check that the plugin serves as before: a full list, and a device if there is any.

        It has the user's patience for that, since it may be registering again.
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
        """A ListAndWatch stream that accepts nothing, closed after the check."""
        stream = await open_deaf(self.socket, self._reactor)
        self._deaf.append(stream)
        return stream


def allocation(*containers: Iterable[str]) -> AllocateRequest:
    """A request for containers that want these ids."""
    return AllocateRequest(
        container_requests=[ContainerAllocateRequest(devices_ids=ids) for ids in containers]
    )


def shortened(ids: Iterable[str]) -> str:
    """Ids as text for people: the first few of many."""
    ids = sorted(ids)
    if len(ids) > 8:
        return f"{len(ids)} devices ({', '.join(ids[:8])}, …)"
    return ", ".join(ids) or "no devices"
