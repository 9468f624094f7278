"""One resource: its devices, its socket, its session with the kubelet."""

from collections.abc import AsyncIterator
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from twistdp.devices import HEALTHY, Devices
from twistdp.inventory import Inventory
from twistdp.kubelet.api import ALLOCATE, GET_OPTIONS, LIST_AND_WATCH
from twistdp.kubelet.directory import PluginDirectory
from twistdp.kubelet.messages import (
    AllocateRequest,
    DevicePluginOptions,
    Empty,
    allocate_response,
)
from twistdp.naming import socket_path
from twistdp.registrar import Registrar
from twistdp.rpc import Method, Server
from twistdp.streams import ListStreams

_log = Logger()

FAREWELL = 1.0
"""Seconds that a retired resource's streams get to deliver the empty list."""


class Resource(Service):
    """Serves the devices of `name`, ``domain/type``, to the kubelet of `directory`."""

    def __init__(
        self, name: str, devices: Devices, *, directory: PluginDirectory, reactor: Any
    ) -> None:
        self.setName(name)
        self._resource = name
        self._inventory = Inventory(name, devices)
        self._streams = ListStreams(self._inventory.listed(), reactor, self._stream_lost)
        self._server = Server(
            socket_path(directory.path, name),
            [
                Method(GET_OPTIONS, Empty, self._get_options),
                Method(LIST_AND_WATCH, Empty, self._list_and_watch, streaming=True),
                Method(ALLOCATE, AllocateRequest, self._allocate),
            ],
            reactor=reactor,
        )
        self._registrar = Registrar(
            name,
            DevicePluginOptions,
            server=self._server,
            streams=self._streams,
            directory=directory,
            reactor=reactor,
        )

    def startService(self) -> None:
        """Serve and register."""
        super().startService()
        _log.info("{resource}: {devices}", resource=self._resource, devices=self._summary())
        self._registrar.start()

    def stopService(self) -> Deferred[None]:
        """Stop serving; the kubelet keeps the capacity for a while.  Fires when all is gone."""
        super().stopService()
        self._registrar.stop()
        self._streams.finish(0.0)
        return self._server.stopService()

    def update(self, devices: Devices) -> None:
        """Advertise `devices` from now on."""
        before = self._inventory.devices
        if self._inventory.update(devices):
            self._streams.publish(self._inventory.listed())
            _log.info(
                "{resource}: {devices}{change}",
                resource=self._resource,
                devices=self._summary(),
                change=_change(before, devices),
            )

    def retire(self) -> Deferred[None]:
        """The last device is gone for good: tell the kubelet that there is none, then stop."""
        self.update({})
        self._registrar.stop()
        return self._streams.finish(FAREWELL).addCallback(lambda _: self.disownServiceParent())

    def _summary(self) -> str:
        devices = self._inventory.devices
        bad = sum(info.state != HEALTHY for info in devices.values())
        text = f"{len(devices)} device{'' if len(devices) == 1 else 's'}"
        return f"{text}, {bad} unhealthy" if bad else text

    def _stream_lost(self) -> None:
        self._registrar.stream_lost()

    # The API's methods

    def _get_options(self, _: Empty) -> DevicePluginOptions:
        return DevicePluginOptions()

    def _list_and_watch(self, _: Empty) -> AsyncIterator[bytes]:
        return self._streams.follow()

    def _allocate(self, request: AllocateRequest) -> bytes:
        return allocate_response(
            [self._inventory.container(part.devices_ids) for part in request.container_requests]
        )


def _change(before: Devices, after: Devices) -> str:
    """A few words on what changed, for the log."""
    names = [f"+{id_}" for id_ in after if id_ not in before]
    names += [f"-{id_}" for id_ in before if id_ not in after]
    shown = " ".join(names[:6]) + (" ..." if len(names) > 6 else "")
    return f" ({shown})" if names else ""
