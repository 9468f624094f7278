"""One resource: its devices, its socket, its session with the kubelet."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from twistdp.cdi import CdiParts
from twistdp.host import NumaNodes
from twistdp.kubelet import (
    ALLOCATE,
    GET_OPTIONS,
    GET_PREFERRED_ALLOCATION,
    LIST_AND_WATCH,
    PRE_START_CONTAINER,
    AllocateRequest,
    DevicePluginOptions,
    Empty,
    ListStreams,
    PluginDirectory,
    PreferredAllocationRequest,
    PreStartContainerRequest,
    Registrar,
    RegistrationStrategy,
    SocketRegistration,
    WatcherRegistration,
)
from twistdp.model import Devices, socket_path
from twistdp.resource.alignment import Alignment
from twistdp.resource.handlers import Answers
from twistdp.resource.hooks import Hooks
from twistdp.resource.inventory import Inventory
from twistdp.resource.room import MOST_BYTES
from twistdp.resource.summary import Change, change, counted
from twistdp.resource.vanished import Departures
from twistdp.rpc import Method, Server, SocketFile, caller
from twistdp.settings import Settings
from twistdp.status import ResourceCondition
from twistdp.tools import stop_all

_log = Logger()

FAREWELL = 1.0
"""Seconds that a retired resource's streams get to deliver the empty list."""


class Resource(Service):
    """Serves the devices of `name`, ``domain/type``, to the kubelet of `directory`.

    `settings` are those of the scanner that finds them, `hooks` its optional abilities; `join`
    is its declaration of what may be joined, see `twistdp.model.allocation.combine`.  `numa` knows
    the devices' NUMA nodes.  `emptied` is called when the last device is gone, a removal grace
    included.
    """

    def __init__(
        self,
        name: str,
        devices: Devices,
        *,
        settings: Settings,
        hooks: Hooks,
        join: Mapping[str, str],
        numa: NumaNodes,
        directory: PluginDirectory,
        emptied: Callable[[], None],
        reactor: Any,
    ) -> None:
        self.setName(name)
        self._resource = name
        self._found = devices
        self._emptied = emptied
        self._departures = Departures(settings.removal_grace, reactor, self._advertise)
        self._inventory = Inventory(name, devices, join=join, numa=numa)
        self._alignment = Alignment(name, self._inventory, numa)
        self._said_left_out = 0
        self._cdi = CdiParts(*name.split("/"), settings=settings, reactor=reactor)
        self._answers = answers = Answers(
            name, self._inventory, hooks, self._cdi, settings.preferred, settings.check_nodes
        )
        self._streams = ListStreams(self._inventory.listed(), reactor, self._stream_lost, name)
        registration: RegistrationStrategy
        if settings.registration == "watcher":
            registration = WatcherRegistration(name, reactor)
        else:
            registration = SocketRegistration(
                directory.kubelet_socket, name, self._answers.options, directory.turns, reactor
            )
        path = socket_path(directory.path, name, settings.private_place)
        self._server = Server(
            SocketFile(path, settings.private_place),
            [
                Method(GET_OPTIONS, Empty, self._get_options),
                Method(LIST_AND_WATCH, Empty, self._list_and_watch, streaming=True),
                Method(ALLOCATE, AllocateRequest, answers.allocate, about=answers.about),
                Method(
                    GET_PREFERRED_ALLOCATION,
                    PreferredAllocationRequest,
                    answers.preferred,
                    about=answers.about,
                ),
                Method(
                    PRE_START_CONTAINER,
                    PreStartContainerRequest,
                    answers.pre_start,
                    about=answers.about,
                ),
                *registration.methods,
            ],
            reactor=reactor,
        )
        self._registrar = Registrar(
            name,
            registration,
            server=self._server,
            streams=self._streams,
            directory=directory,
            reactor=reactor,
        )

    @property
    def left_out(self) -> int:
        """How many devices are not listed, since the kubelet takes no longer list."""
        return len(self._inventory.left_out)

    @property
    def condition(self) -> ResourceCondition:
        """How many devices there are, and how it stands with the kubelet."""
        return ResourceCondition(len(self._inventory.devices), self._registrar.standing)

    def startService(self) -> None:
        """Serve and register."""
        super().startService()
        self._cdi.describe(self._inventory.devices)
        found = change({}, self._inventory.devices)
        self._tell(attrs.evolve(found, came=()))  # they have all come
        self._tell_left_out()
        self._alignment.look()
        self._registrar.start()

    def stopService(self) -> Deferred[None]:
        """Stop serving; the kubelet keeps the capacity for a while.  Fires when all is gone."""
        super().stopService()
        stop_all(
            self._resource,
            self._departures.stop,
            self._cdi.stop,
            self._registrar.stop,
            lambda: self._streams.finish(0.0),
        )
        return self._server.stopService()

    def update(self, devices: Devices) -> None:
        """The scanner has found `devices`; an empty set leads to `emptied`, at once or later."""
        self._found = devices
        self._advertise()

    def retire(self) -> Deferred[None]:
        """The last device is gone for good: have the empty list delivered, then stop."""
        stop_all(self._resource, self._registrar.stop)
        return self._streams.finish(FAREWELL).addCallback(
            # Stopped meanwhile, it has been disowned already.
            lambda _: self.disownServiceParent() if self.running else None
        )

    def _advertise(self) -> None:
        """List what was found and what is leaving."""
        before = self._inventory.devices
        devices = self._departures.apply(before, self._found, self._answers.handed_out)
        handed_out = self._answers.handed_out
        handed_out -= {id_ for id_ in handed_out if id_ not in devices}  # ids may be ever new ones
        self._cdi.describe(devices)
        listed = self._inventory.update(devices, first=self._answers.handed_out)
        if listed:
            self._streams.publish(self._inventory.listed())
        what = change(before, self._inventory.devices)
        if listed or what:
            self._tell(what)
        self._tell_left_out()
        self._alignment.look()
        if not devices:
            self._emptied()

    def _tell(self, what: Change) -> None:
        """Say how many devices there are, and what has changed: as a warning if for the worse."""
        line = "{resource}: {devices}{change}"
        fields = {
            "resource": self._resource,
            "devices": counted(
                len(self._inventory.devices), self._inventory.unhealthy, self.left_out
            ),
            "change": f" ({what})" if what else "",
        }
        if what.worse:
            _log.warn(line, **fields)
        else:
            _log.info(line, **fields)

    def _tell_left_out(self) -> None:
        """Say when the list has no room for all devices, and when it has again."""
        if self.left_out == self._said_left_out:
            return
        self._said_left_out = self.left_out
        if self.left_out:
            _log.error(
                "{resource}: {left_out} of {devices} devices are not listed and cannot be used: "
                "the list would have {size} bytes, and a kubelet takes {most}; give the devices "
                "shorter ids, spread them over several resources, or find fewer of them",
                resource=self._resource,
                left_out=self.left_out,
                devices=len(self._inventory.devices),
                size=self._inventory.size,
                most=MOST_BYTES,
            )
        else:
            _log.info("{resource}: all devices are listed again", resource=self._resource)

    def _stream_lost(self) -> None:
        self._registrar.stream_lost()

    def _get_options(self, request: Empty) -> DevicePluginOptions:
        self._streams.asked(caller())
        return self._answers.get_options(request)

    def _list_and_watch(self, _: Empty) -> AsyncIterator[bytes]:
        return self._streams.follow(caller())
