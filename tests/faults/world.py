"""A manager, a kubelet and others who use its sockets, and what can go wrong with them.

The manager and all below it are the real ones, with real names on a real disk and the kernel's
events; only gRPC is imitated (`tests.faults.plugins`, `tests.faults.channels`), and the scanner's
thread (`tests.faults.threads`).
"""

import asyncio
import errno
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from tests.faults.channels import KubeletChannel
from tests.faults.hardware import DESCRIBED, KINDS, Hardware
from tests.faults.loops import Reactor
from tests.faults.node import Node
from tests.faults.plugins import Call, Connection, PluginServer
from tests.faults.specs import Specs
from tests.faults.threads import ScanThread
from tests.faults.wire import Wire
from tests.support.system import read_only
from twistdp import Manager, Settings
from twistdp.errors import PeerUnavailable
from twistdp.inotify.watches import Inotify
from twistdp.kubelet.api import KUBELET_SOCKET, LIST_AND_WATCH
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import Empty
from twistdp.kubelet.podresources import Pod

DOMAIN = "faults.example.com"


STEPS = (15.0, 3600.0, 10 * 365.25 * 86400.0)
"""Seconds by which the wall clock is set forward or back: NTP's, an hour, a board without one."""


class World:
    """Things as they are, from a generator of chances; `way` is how resources are registered."""

    def __init__(self, way: str, chance: random.Random, inotify: Inotify) -> None:
        self.way = way
        self.clock = Reactor()
        self.wire = Wire()
        self._chance = chance
        self._inotify = inotify
        self._servers: list[PluginServer] = []
        self._root = tempfile.mkdtemp(
            prefix="tdpf-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None
        )
        self._plugin_dir = os.path.join(self._root, "p")
        self._registry = os.path.join(self._root, "w", "r")
        self._sockets = self._registry if way == "watcher" else self._plugin_dir
        os.mkdir(self._plugin_dir)
        os.makedirs(self._registry)
        self.node = Node(
            way,
            self._plugin_dir,
            self._registry,
            wire=self.wire,
            clock=self.clock,
            chance=chance,
            inotify=inotify,
        )
        self._strangers: list[tuple[Connection, Call]] = []
        self._specs = Specs(os.path.join(self._root, "cdi"), DOMAIN)
        self._hardware = Hardware(os.path.join(self._root, "hw"))
        self._manager = Manager(
            DOMAIN,
            self._hardware.scanner,
            settings=Settings(
                plugin_dir=self._plugin_dir,
                registry_dir=self._registry,
                registration=way,
                cdi_dir=self._specs.path,
                removal_grace=chance.choice([0.0, 2.0]),
            ),
            reactor=self.clock,
        )
        self._stopping: Deferred[Any] | None = None
        self._read_only = False
        self.troubled = False
        """Whether something may have been left behind that only the next start finds."""
        self._next_fails = False
        self._next_is_late = False

    def begin(self) -> None:
        """Start the service, and perhaps a kubelet before it."""
        for id_ in "01":
            self._hardware.plug(f"one.{id_}")
        if self._chance.random() < 0.7:
            self.node.kubelet_starts()
        self._service_starts()

    # What stands in for gRPC, threads and a kubelet's word

    def server(self, handlers: Any, options: object) -> PluginServer:
        """In place of ``grpc.aio.server``."""
        server = PluginServer(self.wire, handlers, lambda: self._read_only)
        self._servers.append(server)
        return server

    def channel(self, path: str, reactor: Any) -> KubeletChannel:
        """In place of `twistdp.rpc.Channel`."""
        return KubeletChannel(self.wire, path, self.clock)

    def thread(self, name: str, reactor: Any) -> ScanThread:
        """In place of `twistdp.tools.worker.Worker`."""
        return ScanThread(self.wire, lambda: self._hardware.hanging)

    def pod_resources(self, path: str, reactor: Any) -> "World":
        """In place of `twistdp.kubelet.podresources.PodResourcesClient`."""
        return self

    async def pods(self) -> Sequence[Pod]:
        """All pods with devices have ended."""
        await self.wire.later("pod-resources answer")
        if self.node.kubelet is None:
            raise PeerUnavailable("UNAVAILABLE", "no kubelet")
        return [Pod("kube-system", "other", [])]

    def verdict(self, name: str) -> OSError | None:
        """Return the error of a system call of the service; see `tests.support.system`."""
        number = 0
        if self._next_fails:
            number, self._next_fails = errno.EIO, False
        elif self._next_is_late and name in ("unlink", "rmdir"):
            number, self._next_is_late = errno.ENOENT, False
        elif self._read_only and read_only(name):
            number = errno.EROFS
        return OSError(number, os.strerror(number)) if number else None

    # What can go wrong

    def faults(self) -> list[Callable[[], None]]:
        """All that can."""
        faults = [
            self.node.kubelet_restarts,
            self.node.kubelet_stops,
            self.node.kubelet_starts,
            self._own_sockets_vanish,
            self._directory_made_anew,
            self._directory_vanishes,
            self.node.streams_ended,
            self._stranger_comes,
            self._stranger_goes,
            self.node.registrations_refused,
            self.node.registrations_taken,
            self._hardware.scanner_fails,
            self._hardware.bad_tree,
            self._hardware.scan_hangs,
            self._hardware.scanner_works,
            self._specs.specs_vanish,
            self._specs.specs_cannot_be_written,
            self._specs.specs_can_be_written,
            self._devices_change,
            self._device_is_renamed,
            self._hardware.all_devices_vanish,
            self._all_devices_come,
            self.node.devices_given_to_pods,
            self._service_stops,
            self._service_starts,
            self._clock_is_set,
            self._directory_is_read_only,
            self._directory_is_writable,
            self._a_call_fails,
            self._somebody_is_faster,
        ]
        return [*faults, self.node.kubelets_socket_replaced] if self.way == "socket" else faults

    def _own_sockets_vanish(self) -> None:
        for name in os.listdir(self._sockets) if os.path.isdir(self._sockets) else ():
            if name.startswith(DOMAIN):
                os.unlink(os.path.join(self._sockets, name))

    def _directory_vanishes(self) -> None:
        shutil.rmtree(self._sockets, ignore_errors=True)

    def _directory_made_anew(self) -> None:
        self._directory_vanishes()
        os.mkdir(self._sockets)

    def _stranger_comes(self) -> None:
        for kind in KINDS:
            path = os.path.join(self._sockets, f"{DOMAIN}_{kind}.sock")
            try:
                connection = Connection(self.wire, path, "somebody/1.0")
            except PeerUnavailable:
                continue
            call = connection.call(
                LIST_AND_WATCH,
                Empty(),
                lambda data: None,
                lambda code, text: None,
                stuck=self._chance.random() < 0.3,
            )
            self._strangers.append((connection, call))

    def _stranger_goes(self) -> None:
        while self._strangers:
            self._strangers.pop()[0].close(False)

    def _devices_change(self) -> None:
        self._hardware.toggle(f"{self._chance.choice(KINDS)}.{self._chance.choice('012')}")

    def _device_is_renamed(self) -> None:
        if self._hardware.names:
            name = self._chance.choice(sorted(self._hardware.names))
            other = f"{self._chance.choice(KINDS)}.{self._chance.choice('01234567')}"
            if other not in self._hardware.names:
                self._hardware.rename(name, other)

    def _all_devices_come(self) -> None:
        for kind in KINDS:
            for id_ in "012":
                self._hardware.plug(f"{kind}.{id_}")

    def _service_stops(self) -> None:
        if self._manager.running:
            self._stopping = self._manager.stopService()

    def _service_starts(self) -> None:
        if not self._manager.running and (self._stopping is None or self._stopping.called):
            self._manager.startService()

    def _clock_is_set(self) -> None:
        self.clock.stepped += self._chance.choice([-1, 1]) * self._chance.choice(STEPS)

    def _directory_is_read_only(self) -> None:
        self._read_only = self.troubled = True

    def _directory_is_writable(self) -> None:
        self._read_only = False

    def _a_call_fails(self) -> None:
        self._next_fails = self.troubled = True

    def _somebody_is_faster(self) -> None:
        self._next_is_late = self.troubled = True

    # Required outcomes

    @property
    def stopping(self) -> bool:
        """Whether the service has been stopped and has not ended yet."""
        return self._stopping is not None and not self._stopping.called

    def mend_directories(self) -> None:
        """The sockets' one is there, that of specs can be, and registrations are taken."""
        self._read_only = self._next_fails = self._next_is_late = False
        os.makedirs(self._sockets, exist_ok=True)
        self._specs.specs_can_be_written()
        self.node.registrations_taken()

    def mend(self) -> None:
        """A kubelet runs, so do the service and its scanner, and there is some device."""
        if not self._hardware.names:
            self._hardware.plug("one.0")
        kubelets = os.path.join(self._plugin_dir, KUBELET_SOCKET)
        if self.node.kubelet is None or not os.path.exists(kubelets):
            self.node.kubelet_restarts()
        if self._chance.random() < 0.5:
            self._stranger_goes()
        self._service_starts()
        self._hardware.scanner_works()

    def plug(self) -> None:
        """One device more of each kind."""
        for kind in KINDS:
            self._hardware.plug(f"{kind}.9")

    def exchange_described(self) -> None:
        """A device with a CDI part goes and another one comes."""
        self._hardware.unplug(f"{DESCRIBED}.9")
        self._hardware.plug(f"{DESCRIBED}.8")

    def unplug_described(self) -> None:
        """No device with a CDI part is left, and nobody is there to see it."""
        self._service_stops()
        self._hardware.unplug_all(DESCRIBED)

    def is_right(self) -> bool:
        """Whether the kubelet has just the devices that there are, from a live plugin."""
        return all(self._is_right(kind) for kind in KINDS)

    def is_described(self) -> bool:
        """Whether a CDI spec has all devices that need it."""
        return self._hardware.ids(DESCRIBED) <= self._specs.ids()

    def is_tidy(self) -> bool:
        """Whether it has nothing else."""
        return self._hardware.ids(DESCRIBED) == self._specs.ids()

    def _is_right(self, kind: str) -> bool:
        kubelet, name, wanted = self.node.kubelet, f"{DOMAIN}/{kind}", self._hardware.ids(kind)
        assert kubelet is not None
        if not wanted:
            # A kubelet that has lost track of a plugin keeps the plugin's devices.
            return not kubelet.is_served(name) or not kubelet.allocatable(name)
        path = os.path.join(self._sockets, f"{DOMAIN}_{kind}.sock")
        return (
            kubelet.is_served(name)
            and kubelet.allocatable(name) == wanted
            and self.wire.listener(path) is not None
        )

    def state(self) -> str:
        """Describe for people what exists and what the kubelet has."""
        kubelet = self.node.kubelet
        seen = kubelet and {
            kind: (
                sorted(kubelet.allocatable(f"{DOMAIN}/{kind}")),
                kubelet.is_served(f"{DOMAIN}/{kind}"),
            )
            for kind in KINDS
        }
        wanted, specs = sorted(self._hardware.names), sorted(self._specs.ids())
        return f"wanted {wanted}, seen {seen}, described {specs}, left {self.left()}"

    def stop(self) -> None:
        """Stop the service for good; a process that could not leave all well has a successor."""
        self._read_only = self._next_fails = self._next_is_late = False
        if self.troubled:
            self._service_starts()
        self._service_stops()

    def leave(self) -> None:
        """All others go too."""
        self._stranger_goes()
        self.node.kubelet_stops()

    def left(self) -> list[str]:
        """Return what a stopped service has left and should have removed."""
        sockets = os.listdir(self._sockets) if os.path.isdir(self._sockets) else []
        return [
            *(name for name in sockets if name != KUBELET_SOCKET),
            *(name for name in os.listdir(os.path.dirname(self._sockets)) if name[0] == "."),
            # A file that could not be removed is taken over by the next writer.
            *(() if self.troubled else self._specs.half_made()),
            *(str(call) for call in self.clock.getDelayedCalls()),
            *(str(task) for task in asyncio.all_tasks(self.clock.loop)),
            *(f"server {server}" for server in self._servers if server.running or server.calls),
        ]

    def clean_up(self) -> None:
        """Whatever the state is in."""
        if self._manager.running:
            self._manager.stopService()
        self.node.close()
        for server in self._servers:
            server.crash()
        for task in asyncio.all_tasks(self.clock.loop):
            task.cancel()
        self.clock.loop.settle()
        self.clock.loop.close()
        shutil.rmtree(self._root, ignore_errors=True)
        self._inotify.doRead()
