"""A manager, a kubelet and others who use its sockets, and what can go wrong with them.

The manager and all below it are the real ones, with real names on a real disk and the kernel's
events; only gRPC is imitated (`tests.faults.plugins`, `tests.faults.channels`).
"""

import asyncio
import os
import random
import shutil
import tempfile
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from tests.faults.channels import KubeletChannel
from tests.faults.hardware import Told
from tests.faults.loops import Reactor
from tests.faults.node import Node
from tests.faults.plugins import Call, Connection, PluginServer
from tests.faults.wire import Wire
from twistdp import HEALTHY, DeviceInfo, DeviceTree, Manager, Settings
from twistdp.errors import PeerUnavailable
from twistdp.inotify import Inotify
from twistdp.kubelet.api import KUBELET_SOCKET, LIST_AND_WATCH
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import Empty

DOMAIN = "faults.example.com"
KINDS = ("one", "two")


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
        self._wanted: dict[str, set[str]] = {"one": {"0", "1"}, "two": set()}
        self._scanner = Told()
        self._manager = Manager(
            DOMAIN,
            self._scanner,
            settings=Settings(
                plugin_dir=self._plugin_dir,
                registry_dir=self._registry,
                registration=way,
                cdi_dir=os.path.join(self._root, "cdi"),
                removal_grace=chance.choice([0.0, 2.0]),
            ),
            reactor=self.clock,
        )
        self._stopping: Deferred[Any] | None = None

    def begin(self) -> None:
        """Start the service, and perhaps a kubelet before it."""
        self._find()
        if self._chance.random() < 0.7:
            self.node.kubelet_starts()
        self._service_starts()

    # What stands in for gRPC

    def server(self, handlers: Any) -> PluginServer:
        """In place of ``grpc.aio.server``."""
        server = PluginServer(self.wire, handlers)
        self._servers.append(server)
        return server

    def channel(self, path: str, reactor: Any) -> KubeletChannel:
        """In place of `twistdp.rpc.Channel`."""
        return KubeletChannel(self.wire, path, self.clock)

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
            self._bad_tree,
            self._devices_change,
            self._all_devices_vanish,
            self._all_devices_come,
            self.node.devices_given_to_pods,
            self._service_stops,
            self._service_starts,
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

    def _find(self) -> None:
        tree = DeviceTree()
        for kind in KINDS:
            for id_ in sorted(self._wanted[kind]):
                tree.add_device(kind, id_, DeviceInfo(HEALTHY))
        self._scanner.tree = tree
        if self._scanner.notifier is not None:
            self._scanner.notifier.notify(tree)

    def _bad_tree(self) -> None:
        if self._scanner.notifier is not None:
            self._scanner.notifier.notify("no tree")  # type: ignore[arg-type]

    def _devices_change(self) -> None:
        self._wanted[self._chance.choice(KINDS)] ^= {self._chance.choice("012")}
        self._find()

    def _all_devices_vanish(self) -> None:
        self._wanted = {kind: set() for kind in KINDS}
        self._find()

    def _all_devices_come(self) -> None:
        self._wanted = {kind: {"0", "1", "2"} for kind in KINDS}
        self._find()

    def _service_stops(self) -> None:
        if self._manager.running:
            self._stopping = self._manager.stopService()

    def _service_starts(self) -> None:
        if not self._manager.running and (self._stopping is None or self._stopping.called):
            self._manager.startService()

    # What must come of it

    @property
    def stopping(self) -> bool:
        """Whether the service has been stopped and has not ended yet."""
        return self._stopping is not None and not self._stopping.called

    def mend_directory(self) -> None:
        """The directory is there, and registrations are taken."""
        os.makedirs(self._sockets, exist_ok=True)
        self.node.registrations_taken()

    def mend(self) -> None:
        """A kubelet runs, and so does the service, and there is some device."""
        if not any(self._wanted.values()):
            self._wanted["one"].add("0")
        kubelets = os.path.join(self._plugin_dir, KUBELET_SOCKET)
        if self.node.kubelet is None or not os.path.exists(kubelets):
            self.node.kubelet_restarts()
        if self._chance.random() < 0.5:
            self._stranger_goes()
        self._service_starts()
        self._find()

    def plug(self) -> None:
        """One device more of each kind."""
        for kind in KINDS:
            self._wanted[kind].add("9")
        self._find()

    def is_right(self) -> bool:
        """Whether the kubelet has just the devices that there are, from a live plugin."""
        return all(self._is_right(kind) for kind in KINDS)

    def _is_right(self, kind: str) -> bool:
        kubelet, name, wanted = self.node.kubelet, f"{DOMAIN}/{kind}", self._wanted[kind]
        assert kubelet is not None
        if not wanted:
            # A kubelet that has lost track of a plugin keeps what it had of it.
            return not kubelet.is_served(name) or not kubelet.allocatable(name)
        path = os.path.join(self._sockets, f"{DOMAIN}_{kind}.sock")
        return (
            kubelet.is_served(name)
            and kubelet.allocatable(name) == wanted
            and self.wire.listener(path) is not None
        )

    def state(self) -> str:
        """What there is, and what the kubelet has, for people."""
        kubelet = self.node.kubelet
        seen = kubelet and {
            kind: (
                sorted(kubelet.allocatable(f"{DOMAIN}/{kind}")),
                kubelet.is_served(f"{DOMAIN}/{kind}"),
            )
            for kind in KINDS
        }
        wanted = {kind: sorted(ids) for kind, ids in self._wanted.items()}
        return f"wanted {wanted}, seen {seen}, left {self.left()}"

    def stop(self) -> None:
        """Stop the service for good."""
        self._service_stops()
        self._scanner.notifier = None

    def leave(self) -> None:
        """All others go too."""
        self._stranger_goes()
        self.node.kubelet_stops()

    def left(self) -> list[str]:
        """What a service that has stopped should not have left."""
        sockets = os.listdir(self._sockets) if os.path.isdir(self._sockets) else []
        return [
            *(name for name in sockets if name != KUBELET_SOCKET),
            *(name for name in os.listdir(os.path.dirname(self._sockets)) if name[0] == "."),
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
