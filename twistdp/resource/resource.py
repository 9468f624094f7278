"""Puts the parts of one resource together: its devices, its socket, its session."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from twistdp.cdi import CdiParts
from twistdp.kubelet import (
    GET_OPTIONS,
    LIST_AND_WATCH,
    DevicePluginOptions,
    Empty,
    ListStreams,
    PluginDirectory,
    Registrar,
    RegistrationStrategy,
    SocketRegistration,
    holdings_of,
)
from twistdp.model import Update, socket_path
from twistdp.resource.alignment import Alignment
from twistdp.resource.handlers import Answers
from twistdp.resource.inventory import Inventory
from twistdp.resource.report import Report
from twistdp.resource.vanished import Departures
from twistdp.rpc import Method, Server, SocketFile, caller
from twistdp.settings import Settings
from twistdp.status import ResourceCondition
from twistdp.tools import stop_all

if TYPE_CHECKING:
    from twistdp.resource.hooks import Hooks

FAREWELL = 1.0
"""Seconds that a retired resource's streams get to deliver the empty list."""


class Resource(Service):
    """Serves the devices of `name`, ``domain/type``, to the kubelet of `directory`.

    `settings` are those of the scanner that finds them, `hooks` its optional abilities, None if it
    has none; `join` is its declaration of what may be joined, see
    `twistdp.model.allocation.combine`.  `emptied` is called when the last device is gone, a removal
    grace included.
    """

    def __init__(
        self,
        name: str,
        update: Update,
        *,
        settings: Settings,
        hooks: "Hooks | None",
        join: Mapping[str, str],
        directory: PluginDirectory,
        emptied: Callable[[], None],
        reactor: Any,
    ) -> None:
        self.setName(name)
        self.full_name = name
        self._emptied = emptied
        holdings = holdings_of(reactor, settings.pod_resources_socket)
        self._departures = Departures(name, settings.removal_grace, holdings, reactor, self._list)
        self.inventory = Inventory(name, self._departures.apply(update, ()), join=join)
        self.report = Report(name, self.inventory, holdings, reactor, directory.earlier)
        self._alignment = Alignment(name, self.inventory)
        self._cdi = CdiParts(*name.split("/"), settings=settings, reactor=reactor)
        common = name, self.inventory, self._cdi, settings.preferred, settings.check_nodes
        if hooks is None:
            self._answers = Answers(*common)
        else:
            # Few plugins need it, and what it imports: 4 ms of a start.
            from twistdp.resource.hooked import HookedAnswers

            self._answers = HookedAnswers(*common, hooks=hooks, pre_start=settings.pre_start)
        self.streams = ListStreams(self.inventory.listed, reactor, self._stream_lost, name)
        registration: RegistrationStrategy
        if settings.registration == "watcher":
            from twistdp.kubelet.register_by_watcher import WatcherRegistration

            registration = WatcherRegistration(name, reactor)
        else:
            registration = SocketRegistration(
                directory.kubelet, name, self._answers.options, reactor
            )
        path = socket_path(directory.path, name, settings.private_place)
        self.server = Server(
            SocketFile(path, settings.private_place),
            [
                Method(GET_OPTIONS, Empty, self._get_options),
                Method(LIST_AND_WATCH, Empty, self._list_and_watch, streaming=True),
                *self._answers.methods,
                *registration.methods,
            ],
            reactor=reactor,
            ended=self.report.called,
        )
        self._registrar = Registrar(
            name,
            registration,
            server=self.server,
            streams=self.streams,
            directory=directory,
            reactor=reactor,
        )

    @property
    def condition(self) -> ResourceCondition:
        """The number of devices, and the state of the session with the kubelet."""
        return ResourceCondition(len(self.inventory.devices), self._registrar.standing)

    def startService(self) -> None:
        """Serve and register."""
        super().startService()
        self._cdi.describe(self.inventory.devices)
        self.report.begin()
        self._departures.begin()
        self._alignment.look()
        self._registrar.start()

    def stopService(self) -> Deferred[None]:
        """Stop serving; the kubelet keeps the capacity for a while.  Fires when all has ended."""
        super().stopService()
        stop_all(
            self.full_name,
            self._departures.stop,
            self.report.end,
            self._cdi.stop,
            self._registrar.stop,
            lambda: self.streams.finish(0.0),
        )
        return self.server.stopService()

    def update(self, update: Update) -> None:
        """List what the scanner has found; without a device `emptied` is called, now or later."""
        self._list(self._departures.apply(update, self._answers.handed_out))

    def retire(self) -> Deferred[None]:
        """Deliver the empty list, then stop: the last device is gone for good."""
        stop_all(self.full_name, self._registrar.stop)
        return self.streams.finish(FAREWELL).addCallback(
            # Stopped meanwhile, it has been disowned already.
            lambda _: self.disownServiceParent() if self.running else None
        )

    def _list(self, update: Update) -> None:
        before = self.inventory.devices
        handed_out = self._answers.handed_out
        handed_out.difference_update(update.removed)  # ids may be new ones for ever
        self._cdi.describe(update.devices)
        listed = self.inventory.update(update, first=handed_out)
        if listed is not None:
            self.streams.publish(listed)
        self.report.look(before, update, listed is not None)
        self._alignment.look()
        if not update.devices:
            self._emptied()

    def _stream_lost(self) -> None:
        self._registrar.stream_lost()

    def _get_options(self, request: Empty) -> DevicePluginOptions:
        self.streams.asked(caller())
        return self._answers.get_options(request)

    def _list_and_watch(self, _: Empty) -> AsyncIterator[bytes]:
        return self.streams.follow(caller())
