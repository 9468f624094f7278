"""What is posted as events on a DevicePlugin: what `kubectl describe` shows, and never much."""

import datetime
import secrets
import time
from collections.abc import Callable
from typing import Any, Final

import attrs
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from twistdp import klog
from twistdp.operator.api import FIELD_MANAGER, ApiError, IApi, Unreachable
from twistdp.operator.kinds import DEVICE_PLUGIN, EVENT
from twistdp.tools import Turns

NAMESPACE: Final = "default"
"""Where events about objects without a namespace are."""

AT_ONCE: Final = 10
"""Events of an object that may come in a burst."""

EVERY: Final = 60.0
"""Seconds after which an object may have one more."""

AGAIN: Final = 600.0
"""Seconds in which an object's event is not posted a second time."""

_LONGEST: Final = 1000
_AT_A_TIME: Final = 2


@attrs.define(eq=False)
class _Allowance:
    """What an object may still post."""

    left: float
    since: float
    posted: dict[tuple[str, str], float] = attrs.field(factory=dict)

    def take(self, what: tuple[str, str], now: float) -> bool:
        """Whether it may post this now."""
        self.left = min(AT_ONCE, self.left + (now - self.since) / EVERY)
        self.since = now
        self.posted = {key: at for key, at in self.posted.items() if now - at < AGAIN}
        if what in self.posted or self.left < 1:
            return False
        self.left -= 1
        self.posted[what] = now
        return True


class Happenings:
    """Posts events.  They are news for people: one that cannot be posted is not tried again."""

    def __init__(
        self, api: IApi, clock: IReactorTime, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._api = api
        self._clock = clock
        self._wall_clock = wall_clock
        self._allowances: dict[str, _Allowance] = {}
        self._turns = Turns(_AT_A_TIME)
        self._posting: set[Deferred[Any]] = set()

    def post(self, name: str, uid: str, reason: str, message: str, *, warning: bool) -> None:
        """Post an event about a DevicePlugin, unless there are too many of it already."""
        now = self._clock.seconds()
        allowance = self._allowances.setdefault(uid, _Allowance(AT_ONCE, now))
        if not allowance.take((reason, message), now):
            return
        document = self._document(name, uid, reason, message, "Warning" if warning else "Normal")
        posting = self._turns.run(self._api.create, document)
        self._posting.add(posting)
        posting.addErrback(self._failed, name)
        posting.addBoth(lambda _: self._posting.discard(posting))

    def forget(self, uid: str) -> None:
        """Drop what is kept of an object that is gone."""
        self._allowances.pop(uid, None)

    def stop(self) -> Deferred[Any]:
        """Drop the events that are not posted yet; fires when nothing is under way."""
        posting = list(self._posting)
        for each in posting:
            each.cancel()
        return DeferredList(posting)

    def _document(
        self, name: str, uid: str, reason: str, message: str, kind: str
    ) -> dict[str, Any]:
        moment = datetime.datetime.fromtimestamp(self._wall_clock(), datetime.UTC)
        written = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.name,
            "metadata": {
                "name": f"{name[:200]}.{secrets.token_hex(8)}",
                "namespace": NAMESPACE,
            },
            "involvedObject": {
                "apiVersion": DEVICE_PLUGIN.api_version,
                "kind": DEVICE_PLUGIN.name,
                "name": name,
                "uid": uid,
            },
            "reason": reason,
            "message": message[:_LONGEST],
            "type": kind,
            "count": 1,
            "firstTimestamp": written,
            "lastTimestamp": written,
            "source": {"component": FIELD_MANAGER},
            "reportingComponent": FIELD_MANAGER,
            "reportingInstance": FIELD_MANAGER,
        }

    def _failed(self, failure: Failure, name: str) -> None:
        if failure.check(CancelledError) is None:
            failure.trap(ApiError, Unreachable)
            klog.V(1).info("cannot post an event", object=name, err=failure.value)
