"""The emulated kubelet's plugin watcher: it finds plugins by their sockets."""

import os
import stat
from typing import Any, Protocol
from urllib.parse import quote

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistdp.errors import CallFailed, MalformedMessage
from twistdp.inotify import ENTRIES, Changes, Watch, inotify_of
from twistdp.kubelet import GET_INFO, NOTIFY_STATUS, PLUGIN_TYPE, VERSION
from twistdp.kubelet.pluginregistration_v1_pb2 import (
    InfoRequest,
    PluginInfo,
    RegistrationStatus,
    RegistrationStatusResponse,
)
from twistdp.rpc import Channel
from twistdp.tools import Backoff

_log = Logger()

INFO_TIMEOUT = 1.0
"""Seconds that GetInfo may take."""

NOTIFY_TIMEOUT = 5.0
"""Seconds that NotifyRegistrationStatus may take."""

RETRY_FIRST, RETRY_MOST = 0.5, 122.0
"""Seconds until the kubelet tries again to register a plugin that it could not register."""

REMOVAL_DELAY = 0.5
"""Seconds until a plugin without its socket is dropped: a kubelet looks once a second."""


class RegistryHost(Protocol):
    """What the registry asks of its kubelet."""

    def takes(self, resource: str) -> bool:
        """Whether the name is one of an extended resource."""

    async def connect(self, resource: str, path: str) -> None:
        """Begin to use a plugin; raises CallFailed."""

    def disconnect(self, resource: str) -> None:
        """Drop a resource's plugin."""

    def record(self, resource: str, endpoint: str, version: str, error: str) -> None:
        """A plugin was registered, or refused with a text."""

    def say(self, line: str) -> None:
        """Something happened, in a line for people."""


@attrs.define(eq=False)
class _Plugin:
    """A socket that was found; `resource` is set once it is registered."""

    path: str
    identity: tuple[int, ...]
    resource: str | None = None
    work: "Deferred[None] | None" = None


class PluginsRegistry:
    """Finds the sockets in `directory` and registers their plugins.

    A name that is removed and made again is another plugin, as it is for a real kubelet.
    """

    def __init__(self, directory: str, host: RegistryHost, reactor: Any) -> None:
        self._directory = directory
        self._host = host
        self._reactor = reactor
        self._plugins: dict[str, _Plugin] = {}
        self._leaving: dict[str, tuple[_Plugin, IDelayedCall]] = {}
        self._watch: Watch | None = None

    def start(self) -> None:
        """Register all plugins, also later ones.  Makes the directory if it is missing."""
        os.makedirs(self._directory, exist_ok=True)
        self._watch = inotify_of(self._reactor).watch(self._directory, self._changed, ENTRIES)
        self._changed(None)

    def stop(self) -> None:
        """Stop looking.  Nothing is deleted."""
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        for path in list(self._plugins):
            self._remove(path)
        for path in list(self._leaving):
            self._drop(path)

    def _changed(self, changes: Changes) -> None:
        found = self._sockets()
        for path in {*self._plugins, *found}:
            known = self._plugins.get(path)
            identity = found.get(path)
            if changes is None:
                same = known is not None and known.identity == identity
            else:
                # A name that was removed and made again may look the same as before.
                same = path not in changes
            if not same:
                if known is not None:
                    self._remove(path)
                    self._host.say(f"{path} was removed")
                if identity is not None:
                    self._drop(path)
                    self._add(_Plugin(path, identity))

    def _add(self, plugin: _Plugin) -> None:
        self._plugins[plugin.path] = plugin
        plugin.work = Deferred.fromCoroutine(self._keep_trying(plugin))
        plugin.work.addErrback(self._report, plugin)

    def _remove(self, path: str) -> None:
        """Stop registering a plugin, and drop it soon: its last messages are still read."""
        plugin = self._plugins.pop(path)
        if plugin.work is not None:
            plugin.work.cancel()
        later = self._reactor.callLater(REMOVAL_DELAY, self._drop, path)
        self._leaving[path] = plugin, later

    def _drop(self, path: str) -> None:
        if path in self._leaving:
            plugin, later = self._leaving.pop(path)
            if later.active():
                later.cancel()
            if plugin.resource is not None:
                self._host.disconnect(plugin.resource)

    def _report(self, failure: Failure, plugin: _Plugin) -> None:
        if not failure.check(CancelledError):
            _log.failure("registering {path}", failure, path=plugin.path)

    async def _keep_trying(self, plugin: _Plugin) -> None:
        backoff = Backoff(RETRY_FIRST, RETRY_MOST)
        while not await self._register(plugin):
            if self._plugins.get(plugin.path) is not plugin:
                return  # the call had finished when it was cancelled
            await deferLater(self._reactor, backoff.next())

    async def _register(self, plugin: _Plugin) -> bool:
        """Do what a kubelet does for a socket, and return whether the plugin is registered."""
        channel = Channel(
            plugin.path, reactor=self._reactor, authority=quote(os.fsencode(plugin.path), safe="")
        )
        try:
            info = await channel.unary(GET_INFO, InfoRequest(), PluginInfo, INFO_TIMEOUT)
            error = await self._use(plugin, info)
            await channel.unary(
                NOTIFY_STATUS,
                RegistrationStatus(plugin_registered=not error, error=error),
                RegistrationStatusResponse,
                NOTIFY_TIMEOUT,
            )
        except (CallFailed, MalformedMessage) as failure:
            self._host.say(f"{plugin.path} cannot be registered: {failure}")
            return False
        finally:
            channel.close()
        return not error

    async def _use(self, plugin: _Plugin, info: PluginInfo) -> str:
        """Begin to use a plugin.  Returns the reason of a refusal, or nothing."""
        endpoint = info.endpoint or plugin.path
        error = self._refusal(plugin, info)
        if not error:
            try:
                await self._host.connect(info.name, endpoint)
            except CallFailed as failure:
                error = f"plugin registration failed with err: {failure.details}"
            else:
                plugin.resource = info.name
        if error:
            error = f"RegisterPlugin error -- {error}"
        self._host.record(info.name, endpoint, " ".join(info.supported_versions), error)
        return error

    def _refusal(self, plugin: _Plugin, info: PluginInfo) -> str:
        failed = "plugin validation failed with err:"
        if info.type != PLUGIN_TYPE:
            return f"no handler registered for plugin type: {info.type} at socket {plugin.path}"
        if VERSION not in info.supported_versions:
            return (
                f"{failed} manager version, {VERSION}, is not among plugin supported versions "
                f"[{' '.join(info.supported_versions)}]"
            )
        if not self._host.takes(info.name):
            return (
                f"{failed} invalid name of device plugin socket: the ResourceName "
                f'"{info.name}" is invalid'
            )
        return ""

    def _sockets(self) -> dict[str, tuple[int, ...]]:
        """The identities of the sockets that a kubelet looks at, by path."""
        found: dict[str, tuple[int, ...]] = {}
        try:
            directory = os.stat(self._directory)
            names = os.listdir(self._directory)
        except (FileNotFoundError, NotADirectoryError):
            return found
        for name in names:
            path = os.path.join(self._directory, name)
            try:
                status = os.lstat(path)
            except FileNotFoundError:
                continue
            if stat.S_ISSOCK(status.st_mode) and not name.startswith("."):
                # The time alone does not do: some kernels and file systems count in steps of 10 ms.
                place = directory.st_dev, directory.st_ino
                found[path] = (*place, status.st_ino, status.st_ctime_ns)
        return found
