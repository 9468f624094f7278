"""Sets up a kubelet, directories and a plugin's process, and keeps what happens as evidence."""

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
"""The share of a processor below which a plugin counts as waiting."""

OUTPUT = 20
"""Lines of the plugin's output that are kept as evidence."""


class Stage:
    """The surroundings of one check."""

    def __init__(self, plan: Plan, reactor: Any) -> None:
        self.plan = plan
        self.evidence: list[Evidence] = []
        self.warnings: list[str] = []
        self.troubles: list[str] = []
        """Errors of the clean-up."""
        self._reactor = reactor
        self._begin = reactor.seconds()
        self._root = tempfile.mkdtemp(prefix="tdp-")
        # As long as a kubelet's path if possible, since plugins may fit their socket's name to it.
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
        self._arrivals_before = 0

    # Evidence

    def say(self, text: str) -> None:
        """Keep an observation."""
        self.evidence.append(Evidence(self.seconds, text))

    def warn(self, text: str) -> None:
        """Let the check pass with a warning."""
        self.warnings.append(text)

    def require(self, condition: object, text: str) -> None:
        """Raise `Failed` with the text, unless the condition is true."""
        if not condition:
            raise Failed(text)

    @property
    def seconds(self) -> float:
        """Seconds since the check began."""
        return float(self._reactor.seconds() - self._begin)

    # Life

    def start_plugin(self) -> None:
        """Start the plugin's process."""
        self._started, self._arrivals_before = self.seconds, len(self.kubelet.arrivals)
        self._plugin = Subject(self.plan, self.places, self._reactor)
        self.say(f"the plugin was started, process {self._plugin.pid}")

    @property
    def plugin(self) -> Subject:
        """The plugin's process."""
        assert self._plugin is not None
        return self._plugin

    async def clean_up(self) -> None:
        """End all processes and remove all files.

        A step that fails does not stop the others; errors are kept in `troubles` and as evidence.
        """
        for step in self.last_steps():
            try:
                await step()
            except Exception as error:  # the other steps must run in any case
                self.troubles.append(str(error) or type(error).__name__)
                self.say(f"cleaning up: {self.troubles[-1]}")

    def last_steps(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """The steps of `clean_up`, in this order; subclasses extend them."""
        return self._end_plugin, self._end_kubelet, self._remove_places

    async def _end_plugin(self) -> None:
        if self._plugin is not None:
            await self._plugin.kill_all()
            for line in self._plugin.output.splitlines()[-OUTPUT:]:
                self.say(f"the plugin wrote: {line}")

    async def _end_kubelet(self) -> None:
        # Even if it does not run: a cancelled check may have started half of it.
        await self.kubelet.stop()

    async def _remove_places(self) -> None:
        shutil.rmtree(self._root)

    # Waiting

    async def until(
        self, what: str, condition: Callable[[], object], *, alone: bool = False
    ) -> None:
        """Wait until `condition` is true; raise `Failed` when that takes too long.

        `what` describes the condition, as in "the plugin registers".  The end of the plugin is a
        failure too, unless the condition is `alone`.
        """
        begin = self.seconds
        while not condition():
            if not alone and self._plugin is not None and self._plugin.status is not None:
                raise Failed(f"the plugin {described(self._plugin.status)} (expected: {what})")
            if self.seconds > max(begin + self.plan.patience, self._deadline_of_start()):
                raise Failed(f"not within {self.seconds - begin:.1f} s: {what}")
            await self.pause(LOOK)

    def _deadline_of_start(self) -> float:
        """A new process has more time until it registers, and the usual time afterwards."""
        for first in self.kubelet.arrivals[self._arrivals_before :]:
            return first.seconds - float(self._begin) + self.plan.patience
        return self._started + self.plan.startup

    async def pause(self, seconds: float) -> None:
        """Wait some seconds."""
        await deferLater(self._reactor, seconds)

    async def idle(self) -> None:
        """Wait until the plugin has finished its start, as its use of the processor shows.

        Waits no longer than the user's patience, since a plugin may wait in a busy loop.
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
        """Check that `condition` stays true for some seconds; otherwise raise `Failed`: `what`."""
        deadline = self._reactor.seconds() + seconds
        while self._reactor.seconds() < deadline:
            self.require(self.plugin.status is None, "the plugin ended by itself")
            self.require(condition(), what)
            await self.pause(LOOK)
