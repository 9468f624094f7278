"""Writes the status of DevicePlugins: when it changes, and not too often."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.interfaces import IReactorTime

from twistdp.operator.api import IApi
from twistdp.operator.cache import Cache, Took
from twistdp.operator.conditions import NAMED
from twistdp.operator.happenings import Happenings
from twistdp.operator.kinds import DAEMON_SET, DEVICE_PLUGIN
from twistdp.operator.known import Known
from twistdp.operator.observed import DaemonSetSeen, text
from twistdp.operator.rollout import follow, is_halted
from twistdp.operator.seen import PluginSeen
from twistdp.operator.settings import OperatorSettings
from twistdp.operator.status import status
from twistdp.operator.work import Work


class Reporting:
    """Writes statuses, each at most once in the settings' interval; the last one always."""

    def __init__(
        self,
        api: IApi,
        settings: OperatorSettings,
        clock: IReactorTime,
        cache: Cache,
        happenings: Happenings,
        took: Took,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._interval = settings.status_interval
        self._clock = clock
        self._cache = cache
        self._happenings = happenings
        self._took = took
        self._wall_clock = wall_clock

    def due(self, work: Work) -> float:
        """Return the seconds until a status may be written, 0 if it may be now."""
        return max(work.reported_at + self._interval - self._clock.seconds(), work.reports.wait)

    async def report(self, seen: PluginSeen, work: Work) -> float | None:
        """Write the status if it has changed.

        Returns the seconds after which it changes without a change of anything else, None if it
        does not.  Raises `ApiError` and `Unreachable`.
        """
        now = self._clock.seconds()
        work.reported_at = now
        known, again = self._known(seen, work, now)
        made = status(known, seen.status, self._wall_clock())
        # The API server may keep less of it than was sent, or add defaults.
        if made == seen.status or (
            made == self._cache.sent.get(seen.name) and seen.status == work.got
        ):
            return again
        self._cache.sent[seen.name] = made
        work.got = None  # until it is known that this one was written
        answer = await self._api.apply_status(
            {
                "apiVersion": DEVICE_PLUGIN.api_version,
                "kind": DEVICE_PLUGIN.name,
                "metadata": {"name": seen.name, "uid": seen.uid},
                "status": made,
            }
        )
        self._took(DEVICE_PLUGIN, answer)
        got = answer.get("status")
        work.got = made if got == made else got
        self._announce(seen, made)
        return again

    def _known(self, seen: PluginSeen, work: Work, now: float) -> tuple[Known, float | None]:
        plugin = seen.plugin
        daemon_set = self._daemon_set(seen)
        stalled, halted, again = False, False, None
        pods = self._cache.pods(seen.name)
        if daemon_set is not None and plugin is not None:
            deadline = plugin.spec.update_strategy.progress_deadline
            work.progress = follow(work.progress, daemon_set, now, seen.status)
            stalled = work.progress.is_stalled(deadline, now)
            due = work.progress.due(deadline)
            again = due - now if due is not None and not stalled else None
            strategy = plugin.spec.update_strategy
            halted = is_halted(strategy.type, strategy.max_surge, daemon_set, pods)
        rivals, others = self._cache.rivals(seen.name, NAMED)
        resources = self._cache.census.resources_of(seen.name)
        known = Known(
            generation=seen.generation,
            problems=seen.problems or work.problems,
            refusal=work.refusal,
            waiting=work.waiting,
            paused=plugin is not None and plugin.paused,
            stalled=stalled,
            halted=halted,
            replacing=work.progress is not None and work.progress.is_new,
            resources=resources,
            rivals=rivals,
            rivals_omitted=others,
            daemon_set=daemon_set,
            pods=pods,
            nodes=self._cache.census.counts(resources),
        )
        return known, again

    def _daemon_set(self, seen: PluginSeen) -> DaemonSetSeen | None:
        found = (
            child.daemon_set
            for child in self._cache.owned(seen.name)
            if (child.place.kind, child.place.name) == (DAEMON_SET.name, seen.name)
            and child.owner_uid == seen.uid
        )
        return next(found, None)

    def _announce(self, seen: PluginSeen, made: Mapping[str, Any]) -> None:
        """Post what has changed in the conditions, as far as people act on it."""
        before = _conditions(seen.status)
        for kind, condition in _conditions(made).items():
            old = before.get(kind, {})
            if (old.get("status"), old.get("reason")) == (
                condition.get("status"),
                condition.get("reason"),
            ):
                continue
            news = _news(kind, condition, known=bool(old))
            if news is not None:
                reason, message, warning = news
                self._happenings.post(seen.name, seen.uid, reason, message, warning=warning)


def _news(kind: str, condition: Mapping[str, Any], *, known: bool) -> tuple[str, str, bool] | None:
    """Reason and message of an event about a condition that has changed, and whether it warns."""
    reason, message = text(condition.get("reason")), text(condition.get("message"))
    is_true = condition.get("status") == "True"
    if kind == "Degraded":
        if is_true:
            return reason, message, True
        return ("Recovered", "nothing is wrong any more", False) if known else None
    if kind == "Progressing" and not is_true and reason == "Done" and known:
        return "RolledOut", message, False
    if kind == "Paused" and (is_true or known):
        return (
            ("Paused", message, False) if is_true else ("Resumed", "changes are made again", False)
        )
    return None


def _conditions(found: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    conditions = found.get("conditions")
    return {
        text(condition.get("type")): condition
        for condition in (conditions if isinstance(conditions, list) else [])
        if isinstance(condition, Mapping)
    }
