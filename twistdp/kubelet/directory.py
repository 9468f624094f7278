"""Watches the kubelet's device plugin directory for its resources."""

import os
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime

from twistdp.inotify import ENTRIES, Changes, Inotify, Watch
from twistdp.kubelet.api import KUBELET_SOCKET
from twistdp.kubelet.connection import Connections
from twistdp.kubelet.news import news_of
from twistdp.kubelet.presence import socket_identity
from twistdp.model import private_directory


class PluginDirectory(Service):
    """Watches the directory and notifies each resource of what concerns it.

    A kubelet that starts deletes every socket here and makes its `kubelet_socket`, within the
    same millisecond: the file is never seen absent, only replaced.  Every message of a plugin
    makes the kubelet write its checkpoint here, so events are filtered by name.
    """

    def __init__(self, path: str, inotify: Inotify, clock: IReactorTime) -> None:
        self.path = path
        self.kubelet_socket = os.path.join(path, KUBELET_SOCKET)
        self.kubelet = Connections(self.kubelet_socket)
        """Borrowed by resources while they register."""
        self.news = news_of(path, clock)
        """What the log says of all of them."""
        self.earlier: dict[str, Any] = {}
        """What resources that have ended leave to those of the same name; `close` ends each."""
        self._inotify = inotify
        self._watch: Watch | None = None
        self._subscribers: dict[str, tuple[str, Callable[[], None], Callable[[], None]]] = {}
        self._identity: tuple[int, int, int] | None = None

    def startService(self) -> None:
        """Begin to watch; a missing directory is waited for."""
        super().startService()
        self.news.begin()
        self._identity = socket_identity(self.kubelet_socket)
        self._watch = self._inotify.watch(self.path, self._changed, ENTRIES)

    def stopService(self) -> None:
        """Stop watching."""
        super().stopService()
        self.news.end()
        while self.earlier:
            self.earlier.popitem()[1].close()
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()

    def subscribe(
        self, path: str, kubelet_changed: Callable[[], None], socket_changed: Callable[[], None]
    ) -> None:
        """Call `kubelet_changed` when a kubelet's socket has appeared, and otherwise
        `socket_changed` when something may have happened to the socket `path`, a file in this
        directory, or another server's place for it is free."""
        # A server that ends removes its name first, and last the directory that it has locked.
        self._subscribers[path] = private_directory(path), kubelet_changed, socket_changed

    def unsubscribe(self, path: str) -> None:
        """No more calls for the socket `path`."""
        self._subscribers.pop(path, None)

    def _changed(self, changes: Changes) -> None:
        identity = socket_identity(self.kubelet_socket)
        if changes is None:
            kubelet = identity != self._identity
        else:
            # An entry that is there after an event on its name was made or moved in, even if its
            # inode and time stamp are the same as before.
            kubelet = self.kubelet_socket in changes
        self._identity = identity
        kubelet = kubelet and identity is not None
        if kubelet:
            self.news.kubelet_appeared(self.path)
        for path, (private, kubelet_changed, socket_changed) in list(self._subscribers.items()):
            if kubelet:
                kubelet_changed()
            elif changes is None or path in changes or (private in changes and _is_gone(private)):
                socket_changed()


def _is_gone(path: str) -> bool:
    return not os.path.lexists(path)
