"""Keeps the watches running: again after kopf has ended, and until the service stops."""

import asyncio
from collections.abc import Callable, Collection
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from twistdp import klog
from twistdp.operator.api import ApiError, Unreachable
from twistdp.operator.client import Client
from twistdp.operator.discovery import offered
from twistdp.operator.kinds import DEVICE_PLUGIN, Kind
from twistdp.operator.shell import PAUSES, Shell, accept_deep_objects, quiet_kopf
from twistdp.operator.signals import Kept
from twistdp.operator.upkeep import LOOK, MONITORS
from twistdp.rpc import loop_of
from twistdp.tools import Backoff

STABLE: Final = 120.0
"""Seconds after which watches that end are begun again soon."""

PATIENCE: Final = 3.0
"""Seconds that kopf has for its end."""


class Watching(Service):
    """Has `observer` see all objects of `kinds`; `offer` is called with the `MONITORS` there are.

    `observer` and the others are as `Shell` has them.
    """

    def __init__(
        self,
        client: Client,
        observer: Any,
        namespace: str,
        kinds: Collection[Kind],
        offer: Callable[[Collection[Kind]], object],
        reactor: Any,
    ) -> None:
        self._client = client
        self._observer = observer
        self._namespace = namespace
        self._kinds = kinds
        self._offer = offer
        self._reactor = reactor
        self._loop = loop_of(reactor)
        self._kept = Kept()
        self._task: asyncio.Task[None] | None = None
        self._logged = ""
        self._looked_at = float("-inf")
        self._wants_look = asyncio.Event()

    def startService(self) -> None:
        """Begin as soon as the reactor runs."""
        super().startService()
        self._reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        if self.running:
            self._kept.keep()
            self._task = self._loop.create_task(self._go_on())

    def stopService(self) -> Deferred[None]:
        """End the watches; fires when they have ended, or after `PATIENCE`."""
        super().stopService()
        task, self._task = self._task, None
        ended: Deferred[None] = Deferred()
        if task is None or task.done():
            ended.callback(None)
            return ended
        late = self._reactor.callLater(PATIENCE, self._late, ended)

        def done(_: object) -> None:
            if late.active():
                late.cancel()
                ended.callback(None)

        task.add_done_callback(done)
        task.cancel()
        return ended

    def look(self) -> None:
        """Look again which kinds for monitoring there are, unless that was done in `LOOK` seconds.

        New ones are watched, for which all watches begin again.
        """
        if self._reactor.seconds() - self._looked_at >= LOOK:
            self._wants_look.set()

    @staticmethod
    def _late(ended: Deferred[None]) -> None:
        klog.warning("the watches of the API server do not end; the process ends without them")
        ended.callback(None)

    async def _go_on(self) -> None:
        backoff = Backoff(*PAUSES)
        while self.running:
            began = self._loop.time()
            try:
                await self._watch()
            except asyncio.CancelledError:
                if not self.running:
                    raise
                self._log("they were cancelled")
            except Exception as error:
                self._log(str(error) or type(error).__name__)
            if self._loop.time() - began > STABLE:
                backoff.reset()
            await asyncio.sleep(backoff.next())

    async def _watch(self) -> None:
        """Watch, once the API server has the kinds.

        Returns if kopf ends, or if there are other kinds for monitoring.
        """
        kinds = await self._found()
        self._logged = ""
        quiet_kopf()
        accept_deep_objects()
        shell = Shell(self._client, self._observer, self._namespace, kinds, self._kept)
        watches = self._loop.create_task(shell.run())
        news = self._loop.create_task(self._news(kinds))
        try:
            await asyncio.wait((watches, news), return_when=asyncio.FIRST_COMPLETED)
            if watches.done():
                watches.result()
                self._log("they ended")
        finally:
            for task in (watches, news):
                task.cancel()
            await asyncio.gather(watches, news, return_exceptions=True)

    async def _news(self, kinds: Collection[Kind]) -> None:
        """Wait until the API server has a kind for monitoring that is not among these."""
        missing = MONITORS.difference(kinds)
        while True:
            self._looked_at = self._reactor.seconds()
            await self._wants_look.wait()
            self._wants_look.clear()
            try:
                found = await offered(self._client, missing)
            except (ApiError, Unreachable):
                continue  # those who wait for it ask again
            if found:
                names = sorted(kind.name for kind in found)
                klog.info("watching kinds that are new", kinds=names)
                return

    async def _found(self) -> list[Kind]:
        """Wait until the API server has the kind DevicePlugin; return the kinds to watch."""
        backoff = Backoff(*PAUSES)
        while True:
            try:
                found = await offered(self._client, (DEVICE_PLUGIN, *MONITORS))
                if DEVICE_PLUGIN in found:
                    monitors = [kind for kind in MONITORS if kind in found]
                    self._offer(monitors)
                    return [*self._kinds, *monitors]
                self._log(
                    "it has no kind DevicePlugin; apply what `twistdp crds` prints",
                )
            except (ApiError, Unreachable) as error:
                self._log(str(error))
            await asyncio.sleep(backoff.next())

    def _log(self, reason: str) -> None:
        """Log why nothing is watched, unless it is what was logged last."""
        if reason != self._logged:
            self._logged = reason
            klog.warning(
                "cannot watch the API server; trying again",
                server=self._client.cluster.server,
                err=reason,
            )
