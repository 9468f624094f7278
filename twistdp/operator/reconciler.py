"""Makes what is on the cluster equal to what DevicePlugins ask for, again and again."""

import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from twistdp import klog
from twistdp.operator.api import ApiError, IApi, IObserver, Unreachable
from twistdp.operator.cache import Cache, Touched
from twistdp.operator.cleanup import CleanUp
from twistdp.operator.happenings import Happenings
from twistdp.operator.kinds import (
    CONFIG_MAP,
    DAEMON_SET,
    DEVICE_PLUGIN,
    NODE,
    POD,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
)
from twistdp.operator.queue import Attempts, WorkQueue
from twistdp.operator.reporting import Reporting
from twistdp.operator.seen import PluginSeen
from twistdp.operator.settings import OperatorSettings
from twistdp.operator.upkeep import MONITORS, Upkeep
from twistdp.operator.work import Work, new_work

WATCHED: Final = (DEVICE_PLUGIN, DAEMON_SET, CONFIG_MAP, SERVICE_ACCOUNT, SERVICE, POD, NODE)
"""The kinds that must have been listed before anything is done."""

LONGEST_OUTAGE: Final = 30.0
"""Seconds after which an API server that was away is tried again."""

PASSING: Final = 3
"""Failures of the API server itself in a row that the status does not show yet."""

Done = Callable[[str, float], object]
"""Takes the result of a reconcile, ``done``, ``failed`` or ``unreachable``, and its seconds."""

Step = Callable[[PluginSeen, Work], Coroutine[Any, Any, float | None]]
"""Returns the seconds after which there is more to do; None if there is not."""


@implementer(IObserver)
class Reconciler:
    """The operator without its shell: takes what watches bring, and makes requests of `api`.

    `start` begins to reconcile, once each of `WATCHED` has been listed; what is observed before is
    kept.  `stop` ends that, and `start` may follow again.  Nothing is raised by it or in it: what
    fails is tried again, and is in the object's status, its events or the log.  `look` is called
    while an object waits for a kind that is not offered.
    """

    def __init__(
        self,
        api: IApi,
        settings: OperatorSettings,
        clock: IReactorTime,
        done: Done = lambda _result, _seconds: None,
        wall_clock: Callable[[], float] = time.time,
        look: Callable[[], object] = lambda: None,
    ) -> None:
        self._clock = clock
        self._done = done
        self._happenings = Happenings(api, clock, wall_clock)
        self.cache = Cache()
        self.queue = WorkQueue(clock, self._work)
        self._outage = Attempts(clock, most=LONGEST_OUTAGE)
        self._works: dict[str, Work] = {}
        self._started = False
        shared = clock, self.cache, self._happenings, self._took
        self._upkeep = Upkeep(api, settings, *shared, look)
        self._reporting = Reporting(api, settings, *shared, wall_clock)
        self._clean_up = CleanUp(api, *shared, wall_clock)

    # What the shell calls

    @property
    def is_synced(self) -> bool:
        """Whether all kinds have been listed."""
        return self.cache.lists.all_listed(WATCHED)

    def start(self) -> None:
        """Begin to reconcile; everything is applied once, since nothing is known of before."""
        self._started = True
        self._works.clear()
        self._begin()

    def stop(self) -> Deferred[Any]:
        """End what is under way at once; fires when no request is left."""
        self._started = False
        return DeferredList([self.queue.stop(), self._happenings.stop()])

    def offer(self, kinds: Collection[Kind]) -> None:
        """Take note which of the kinds for monitoring the cluster has.

        Each counts once it has been listed: before that, an object of a plugin's name could be
        somebody else's.
        """
        self._upkeep.listable = frozenset(kinds)
        self._offered(self._upkeep.offered.intersection(kinds))

    def _offered(self, kinds: frozenset[Kind]) -> None:
        if kinds != self._upkeep.offered:
            self._upkeep.offered = kinds
            self._enqueue(Touched(now=self.cache.plugins.keys()))

    def observe(self, kind: Kind, change: str | None, document: Mapping[str, Any]) -> None:
        """See `IObserver`."""
        self._enqueue(self.cache.take(kind, change, document))

    def listing(self, kind: Kind) -> None:
        """See `IObserver`."""
        self.cache.lists.begin(kind)

    def listed(self, kind: Kind) -> None:
        """See `IObserver`."""
        was_synced = self.is_synced
        touched = self.cache.listed(kind)
        if kind in MONITORS:
            self._offered(self._upkeep.offered | {kind})
        if was_synced:
            self._enqueue(touched)
        else:
            self._begin()

    # The work

    def _begin(self) -> None:
        if self._started and self.is_synced:
            self.queue.start()
            for name in self.cache.plugins:
                self.queue.add(name)

    def _enqueue(self, touched: Touched) -> None:
        if not self._started:
            return
        for name in touched.now:
            self.queue.add(name)
        for name in touched.later - touched.now:
            work = self._works.get(name)
            self.queue.add(name, self._reporting.due(work) if work else 0.0)

    def _work(self, name: str) -> Deferred[None]:
        return Deferred.fromCoroutine(self._reconcile(name))

    async def _reconcile(self, name: str) -> None:
        seen = self.cache.plugins.get(name)
        if seen is None:
            work = self._works.pop(name, None)
            if work is not None:
                self._happenings.forget(work.uid)
            return
        work = self._works.get(name)
        if work is None or work.uid != seen.uid:
            work = self._works[name] = new_work(seen.uid, self._clock)
        began = self._clock.seconds()
        result = "failed"
        try:
            result = await self._steps(seen, work)
        except Unreachable as error:
            result = "unreachable"
            klog.V(1).info("a device plugin waits for the API server", plugin=name, err=error)
            self._away(name)
        except CancelledError:
            raise
        except Exception:
            klog.failure("a device plugin cannot be reconciled; it is tried again", plugin=name)
            self.queue.add(name, work.attempts.failed())
        else:
            self._outage.reset()
        self._done(result, self._clock.seconds() - began)

    async def _steps(self, seen: PluginSeen, work: Work) -> str:
        """Do everything for one object that can be done now; raises `Unreachable`.

        A key has one timer, the earliest, so each pass asks for another one for all that waits.
        """
        if seen.deleting:
            return await self._try(seen, work, self._clean_up.pursue)
        result = "done"
        if seen.plugin is not None and not seen.plugin.paused:
            if (basis := self._upkeep.basis(seen.plugin)) != work.tried:
                work.tried = basis
                work.attempts.reset()
            result = await self._try(seen, work, self._keep)
            if result == "failed" and not work.refusal:
                return result  # it may well pass, and the status would come and go
        elif seen.plugin is not None:
            work.refusal = ""
        return await self._report(seen.name, work) or result

    def _took(self, kind: Kind, document: Mapping[str, Any]) -> None:
        self.observe(kind, "MODIFIED", document)

    async def _keep(self, seen: PluginSeen, work: Work) -> float | None:
        # Before anything exists that would need it.
        await self._clean_up.prepare(seen)
        return await self._upkeep.keep(seen, work)

    async def _try(self, seen: PluginSeen, work: Work, step: Step) -> str:
        """Do a step unless it has to wait, and arrange for the next attempt if it is refused."""
        if work.attempts.wait:
            self.queue.add(seen.name, work.attempts.wait)
            return "failed"
        try:
            again = await step(seen, work)
        except ApiError as error:
            self._refused(seen.name, error, work.attempts.failed())
            lasts = work.attempts.failures >= PASSING and error.status != 429
            if lasts or not _is_passing(error):
                work.refusal = str(error)
            return "failed"
        work.attempts.reset()
        work.refusal = ""
        if again is not None:
            self.queue.add(seen.name, again)
        return "done"

    async def _report(self, name: str, work: Work) -> str:
        """Write the status if that is due; returns ``failed`` if it cannot be written."""
        due = self._reporting.due(work)
        if due:
            self.queue.add(name, due)
            return ""
        seen = self.cache.plugins.get(name)  # a request may have changed it
        if seen is None or seen.uid != work.uid or seen.deleting:
            return ""
        try:
            again = await self._reporting.report(seen, work)
        except ApiError as error:
            self._refused(name, error, work.reports.failed())
            if work.reports.failures == PASSING and error.status not in (401, 403, 404):
                # The status cannot show it; requests without permission are logged anyway.
                klog.warning(
                    "a status cannot be written; it is tried again", plugin=name, err=error
                )
            return "failed"
        work.reports.reset()
        if again is not None:
            self.queue.add(name, again)
        return ""

    def _refused(self, name: str, error: ApiError, delay: float) -> None:
        self.queue.add(name, delay)
        if error.status == 429 or error.retry_after:
            self.queue.hold(error.retry_after or 1.0)
        what = f"{error.verb} {error.resource}".strip()
        klog.V(1).info("the API server refuses a request", plugin=name, request=what, err=error)

    def _away(self, name: str) -> None:
        """Wait for the API server, with all objects alike; the client's service logs that."""
        if not self._outage.wait:
            self.queue.hold(self._outage.failed())
        self.queue.add(name)


def _is_passing(error: ApiError) -> bool:
    """Whether a refusal is about the API server's state, and not about what we ask for."""
    if error.status in (401, 408, 429) or error.status >= 500:
        return True
    # A watch will show what has been changed or made.
    return error.reason in ("Conflict", "AlreadyExists")
