"""The kubelets of a node, one after the other, and what they do to plugins."""

import os
import random
from typing import Any

from twisted.internet.task import Clock

from tests.faults.kubelets import Kubelet
from tests.faults.wire import Wire
from twistdp.inotify.descriptor import ENTRIES
from twistdp.inotify.watches import Inotify


class Node:
    """A kubelet that runs or not; `way` is how it gets to know plugins."""

    def __init__(
        self,
        way: str,
        plugin_dir: str,
        registry: str,
        *,
        wire: Wire,
        clock: Clock,
        chance: random.Random,
        inotify: Inotify,
    ) -> None:
        self.kubelet: Kubelet | None = None
        """The one that runs."""
        self._refusal = ""
        self._way = way
        self._plugin_dir = plugin_dir
        self._registry = registry
        self._wire = wire
        self._clock = clock
        self._chance = chance
        self._watch = inotify.watch(registry, self._registry_changed, ENTRIES)

    def close(self) -> None:
        """It is over."""
        self.kubelet_stops()
        self._watch.stop()

    def kubelet_starts(self) -> None:
        """Unless one runs."""
        if self.kubelet is None and os.path.isdir(self._plugin_dir):
            self.kubelet = Kubelet(self._plugin_dir, self._wire, self._clock, self._is_lost)
            self.kubelet.refusal = self._refusal
            self.kubelet.start()
            if self._way == "watcher":
                self._look(self.kubelet, None)

    def kubelet_stops(self) -> None:
        """If one runs."""
        if self.kubelet is not None:
            self.kubelet.kill()
            self.kubelet = None

    def kubelet_restarts(self) -> None:
        """It stops, if it runs, and another one starts."""
        self.kubelet_stops()
        self.kubelet_starts()

    def kubelets_socket_replaced(self) -> None:
        """Replace ``kubelet.sock`` alone."""
        if self.kubelet is not None and os.path.isdir(self._plugin_dir):
            self.kubelet.start(wipe=False)

    def streams_ended(self) -> None:
        """By the kubelet."""
        if self.kubelet is not None:
            self.kubelet.end_streams()

    def devices_given_to_pods(self) -> None:
        """All that there are."""
        if self.kubelet is not None:
            self.kubelet.admit()

    def registrations_refused(self) -> None:
        """From now on."""
        self._refusal = "not now"
        if self.kubelet is not None:
            self.kubelet.refusal = self._refusal

    def registrations_taken(self) -> None:
        """Again."""
        self._refusal = ""
        if self.kubelet is not None:
            self.kubelet.refusal = ""

    def _registry_changed(self, changes: Any) -> None:
        if self.kubelet is not None and self._way == "watcher":
            self._look(self.kubelet, changes)

    def _look(self, kubelet: Kubelet, changes: Any) -> None:
        self._wire.lane().put("the kubelet looks", lambda: kubelet.look(self._registry, changes))

    def _is_lost(self) -> bool:
        return self._chance.random() < 0.5
