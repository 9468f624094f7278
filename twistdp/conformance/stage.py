"""A kubelet, directories and a plugin's process, and what was seen of them."""

import math
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from twisted.internet.task import deferLater

from twistdp.conformance.checking import Evidence, Failed
from twistdp.conformance.kubelet import RecordingKubelet
from twistdp.conformance.plan import Plan
from twistdp.conformance.processes import cpu
from twistdp.conformance.program import LOOK, described
from twistdp.conformance.subject import Subject
from twistdp.settings import PLUGIN_DIRECTORY

BUSY = 0.05
"""Seconds of processor time a second that a waiting plugin does not use."""

OUTPUT = 20
"""Lines of the plugin's own output that are kept as evidence."""


class Stage:
    """Made for one check and cleaned up after it."""

    def __init__(self, plan: Plan, reactor: Any) -> None:
        self.plan = plan
        self.evidence: list[Evidence] = []
        self.warnings: list[str] = []
        self.troubles: list[str] = []
        """What went wrong while cleaning up."""
        self._reactor = reactor
        self._begin = reactor.seconds()
        self._root = tempfile.mkdtemp(prefix="tdp-")
        # As long a path as kubelets have, if possible: plugins may fit their socket's name to it.
        plugin_dir = f"{self._root}/p".ljust(len(PLUGIN_DIRECTORY), "p")
        self.places: Mapping[str, str] = {
            "plugin_dir": plugin_dir,
            "registry_dir": f"{self._root}/r",
            "work_dir": f"{self._root}/w",
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
        self._started = -math.inf
        self._heard_before = 0

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

    def start_plugin(self) -> None:
        """Start the plugin's process."""
        self._started, self._heard_before = self.seconds, len(self.kubelet.arrivals)
        self._plugin = Subject(self.plan, self.places, self._reactor)
        self.say(f"the plugin was started, process {self._plugin.pid}")

    @property
    def plugin(self) -> Subject:
        """The plugin's process."""
        assert self._plugin is not None
        return self._plugin

    async def clean_up(self) -> None:
        """End everything and leave nothing behind.

        All is done whatever goes wrong; that is kept in `troubles` and as evidence.
        """
        for step in self.last_steps():
            try:
                await step()
            except Exception as error:  # whatever it is, the rest is to be done
                self.troubles.append(str(error) or type(error).__name__)
                self.say(f"cleaning up: {self.troubles[-1]}")

    def last_steps(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """What `clean_up` does, in this order; for subclasses to extend."""
        return self._end_plugin, self._end_kubelet, self._remove_places

    async def _end_plugin(self) -> None:
        if self._plugin is not None:
            await self._plugin.kill_all()
            for line in self._plugin.output.splitlines()[-OUTPUT:]:
                self.say(f"the plugin wrote: {line}")

    async def _end_kubelet(self) -> None:
        # Also one that does not run: a check that was cancelled may have left half of it.
        await self.kubelet.stop()

    async def _remove_places(self) -> None:
        shutil.rmtree(self._root)

    # Waiting

    async def until(
        self, what: str, condition: Callable[[], object], *, alone: bool = False
    ) -> None:
        """Wait until `condition` is true; raise `Failed` when it takes too long.

        `what` says what is waited for, as in "the plugin registers".  An end of the plugin is
        a failure too, unless the condition stands `alone`.
        """
        begin = self.seconds
        while not condition():
            if not alone and self._plugin is not None and self._plugin.status is not None:
                raise Failed(f"the plugin {described(self._plugin.status)} (expected: {what})")
            if self.seconds > max(begin + self.plan.patience, self._newcomer_has_until()):
                raise Failed(f"not within {self.seconds - begin:.1f} s: {what}")
            await self.pause(LOOK)

    def _newcomer_has_until(self) -> float:
        """A process that was started has longer until it registers, and then as long as any."""
        for first in self.kubelet.arrivals[self._heard_before :]:
            return first.seconds - float(self._begin) + self.plan.patience
        return self._started + self.plan.startup

    async def pause(self, seconds: float) -> None:
        """Let time go by."""
        await deferLater(self._reactor, seconds)

    async def idle(self) -> None:
        """Wait until the plugin, of which nothing is heard, has done what it does at its start.

        Not longer than the user's patience: one that waits in a busy loop never ends.
        """
        deadline = self.seconds + self.plan.patience
        used = -1.0
        while self.plugin.pid and self.seconds < deadline:
            now = cpu(self.plugin.pid)
            if now - used < BUSY:
                return
            used = now
            await self.pause(1.0)

    async def stays(self, what: str, condition: Callable[[], object], seconds: float) -> None:
        """See that `condition` is true for some time; raise `Failed` saying that not `what`."""
        deadline = self._reactor.seconds() + seconds
        while self._reactor.seconds() < deadline:
            self.require(self.plugin.status is None, "the plugin ended by itself")
            self.require(condition(), what)
            await self.pause(LOOK)
