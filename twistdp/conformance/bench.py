"""What a check works with: a kubelet, directories and a plugin of its own."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from google.protobuf.message import Message
from twisted.internet.task import deferLater

from twistdp.conformance.calling import Answer, Caller, Watched
from twistdp.conformance.checking import Evidence, Failed, Skipped
from twistdp.conformance.hardware import Hardware
from twistdp.conformance.kubelet import Arrival, Listed, RecordingKubelet
from twistdp.conformance.plan import Plan
from twistdp.conformance.processes import cpu
from twistdp.conformance.subject import Subject, described
from twistdp.kubelet.api import ALLOCATE, GET_OPTIONS
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    AllocateRequest,
    AllocateResponse,
    ContainerAllocateRequest,
    DevicePluginOptions,
    Empty,
)

M = TypeVar("M", bound=Message)

LOOK = 0.005
"""Seconds between two looks at what is waited for."""

BUSY = 0.05
"""Seconds of processor time a second that a waiting plugin does not use."""

OUTPUT = 20
"""Lines of the plugin's own output that are kept as evidence."""


class Bench:
    """Made for one check and cleaned up after it.

    `resource` is the one that is looked at; it is empty where no plugin has been accepted yet.
    """

    def __init__(self, plan: Plan, resource: str, reactor: Any) -> None:
        self.plan = plan
        self.resource = resource
        self.evidence: list[Evidence] = []
        self.warnings: list[str] = []
        self._reactor = reactor
        self._begin = reactor.seconds()
        self._root = tempfile.mkdtemp(prefix="tdp-")
        self.places: Mapping[str, str] = {
            name: os.path.join(self._root, short)
            for name, short in (("plugin_dir", "p"), ("registry_dir", "r"), ("work_dir", "w"))
        }
        for path in self.places.values():
            os.mkdir(path)
        self.kubelet = RecordingKubelet(
            self.places["plugin_dir"],
            reactor,
            registry_dir=self.places["registry_dir"] if plan.names("registry_dir") else None,
            observe=self.say,
        )
        self._plugin: Subject | None = None
        self._callers: list[Caller] = []
        self.hardware = Hardware(self, reactor)

    # Evidence

    def say(self, text: str) -> None:
        """Keep what was seen."""
        self.evidence.append(Evidence(self.seconds, text))

    def warn(self, text: str) -> None:
        """The check passes with a warning."""
        self.warnings.append(text)

    def require(self, condition: object, text: str) -> None:
        """Raise `Failed` with the text, unless the condition is true."""
        if not condition:
            raise Failed(text)

    @property
    def seconds(self) -> float:
        """Since the check began."""
        return float(self._reactor.seconds() - self._begin)

    # Life

    async def begin(self) -> set[str]:
        """Start kubelet and plugin; returns the ids of the devices once they are listed."""
        await self.kubelet.start()
        self.start_plugin()
        return await self.listed()

    def start_plugin(self) -> None:
        """Start the plugin's process."""
        self._plugin = Subject(self.plan, self.places, self._reactor)
        self.say(f"the plugin was started, process {self._plugin.pid}")

    @property
    def plugin(self) -> Subject:
        """The plugin's process."""
        assert self._plugin is not None
        return self._plugin

    async def terminate(self) -> None:
        """End the plugin as an upgrade does: SIGTERM, and SIGKILL after the user's patience."""
        self.plugin.signal("TERM")
        deadline = self._reactor.seconds() + self.plan.patience
        while self.plugin.status is None and self._reactor.seconds() < deadline:
            await self.pause(LOOK)
        await self.plugin.kill_all()
        node = self.kubelet.resources[self.resource]
        await self.until("the kubelet sees its end", lambda: not node.connected, alone=True)

    async def clean_up(self) -> None:
        """End everything and leave nothing behind."""
        for caller in self._callers:
            await caller.close()
        if self._plugin is not None:
            await self._plugin.kill_all()
            lines = self._plugin.output.splitlines()[-OUTPUT:]
            self.evidence += [Evidence(self.seconds, f"the plugin wrote: {line}") for line in lines]
        await self.hardware.restore()
        if self.kubelet.running:
            await self.kubelet.stop()
        shutil.rmtree(self._root, ignore_errors=True)

    # Waiting

    async def until(
        self, what: str, condition: Callable[[], object], *, alone: bool = False
    ) -> None:
        """Wait until `condition` is true; raise `Failed` when it takes too long.

        `what` says what is waited for, as in "the plugin registers".  An end of the plugin is
        a failure too, unless the condition stands `alone`.
        """
        limit = self.plan.patience
        deadline = self._reactor.seconds() + limit
        while not condition():
            if not alone and self._plugin is not None and self._plugin.status is not None:
                raise Failed(f"the plugin {described(self._plugin.status)} (expected: {what})")
            if self._reactor.seconds() > deadline:
                raise Failed(f"not within {limit:g} s: {what}")
            await self.pause(LOOK)

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

    async def pause(self, seconds: float) -> None:
        """Let time go by."""
        await deferLater(self._reactor, seconds)

    async def idle(self) -> None:
        """Wait until the plugin, of which nothing is heard, has done what it does at its start."""
        used = -1.0
        while (now := cpu(self.plugin.pid)) - used > BUSY:
            used = now
            await self.pause(1.0)

    async def stays(self, what: str, condition: Callable[[], object], seconds: float) -> None:
        """See that `condition` is true for some time; raise `Failed` saying that not `what`."""
        deadline = self._reactor.seconds() + seconds
        while self._reactor.seconds() < deadline:
            self.require(self.plugin.status is None, "the plugin ended by itself")
            self.require(condition(), what)
            await self.pause(LOOK)

    async def listed(self, ids: Iterable[str] | None = None) -> set[str]:
        """Wait until the plugin is registered and a list has come, of just `ids` if given."""
        wanted = None if ids is None else set(ids)

        def done() -> bool:
            node = self.kubelet.resources.get(self.resource)
            if node is None or not (node.connected and node.listed):
                return False
            return wanted is None or self.devices.keys() == wanted

        which = "" if wanted is None else f" with {shortened(wanted)}"
        await self.until(f"{self.resource} is registered and listed{which}", done)
        return set(self.devices)

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
        """See that the plugin serves as before: options, a full list, and a device if any."""
        await self.options()
        watched = self.watch()
        await self.until(
            f"a new stream lists {shortened(self.devices)}",
            lambda: watched.lists and watched.ids == self.devices.keys(),
        )
        watched.cancel()
        if self.healthy:
            answer = await self.allocate(self.healthy[:1])
            self.require(answer.ok, f"Allocate was answered with {answer}")

    def watch(self) -> Watched:
        """A ListAndWatch stream over a connection of its own."""
        return self.caller().watch()


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
