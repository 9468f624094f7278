"""Elects the one operator that reconciles, by a Lease: the others wait until it ends."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import attrs
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from twistdp import klog
from twistdp.operator.api import ApiError, Document, IApi, Unreachable
from twistdp.operator.kinds import LEASE

DURATION: Final = 15
"""Seconds without a renewal after which others may take the lease."""

DEADLINE: Final = 10.0
"""Seconds without a renewal after which the leader stops."""

RETRY: Final = 2.0
"""Seconds between attempts to take or to renew it."""


@attrs.frozen
class Seen:
    """A lease as it was seen, and since when by our clock: others' clocks are not trusted."""

    holder: str
    renewed: str
    duration: float
    since: float

    def is_over(self, now: float) -> bool:
        """Whether its holder has given it up, or has not renewed it in time."""
        return not self.holder or now >= self.since + self.duration


def seen(lease: Mapping[str, Any], before: Seen | None, now: float) -> Seen:
    """Return what a lease says; `before` is how it was seen last."""
    spec = lease.get("spec") or {}
    duration = spec.get("leaseDurationSeconds")
    found = Seen(
        str(spec.get("holderIdentity") or ""),
        str(spec.get("renewTime") or ""),
        float(duration) if isinstance(duration, int) else float(DURATION),
        now,
    )
    if before is not None and attrs.evolve(found, since=before.since) == before:
        return before
    return found


def claimed(
    lease: Mapping[str, Any], me: str, wall_clock: float, *, given_up: bool = False
) -> Document:
    """Return a lease that we hold from now on, or give up."""
    spec = dict(lease.get("spec") or {})
    now = datetime.fromtimestamp(wall_clock, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if spec.get("holderIdentity") != me:
        transitions = spec.get("leaseTransitions")
        spec["leaseTransitions"] = transitions + 1 if isinstance(transitions, int) else 0
        spec["acquireTime"] = now
    spec["holderIdentity"] = "" if given_up else me
    spec["leaseDurationSeconds"] = 1 if given_up else DURATION
    spec["renewTime"] = now
    return {**lease, "spec": spec}


class Elector:
    """Takes the lease `name` in `namespace` as `me`, keeps it, and takes it again if it is lost.

    `led` is called when we become the leader, and `lost` when we no longer are.  What only the
    leader may do is done while `leads` is true: it looks at the clock, since a process that was
    stopped for a while goes on where it was.
    """

    def __init__(
        self,
        api: IApi,
        namespace: str,
        name: str,
        me: str,
        clock: IReactorTime,
        led: Callable[[], object],
        lost: Callable[[], object],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._me = me
        self._clock = clock
        self._led = led
        self._lost = lost
        self._wall_clock = wall_clock
        self._place = namespace, name
        self._lease: Document = {}
        self._is_known = False
        self._runs = False
        self._seen: Seen | None = None
        self._held_until: float | None = None
        self._attempt: Deferred[None] | None = None
        self._next: IDelayedCall | None = None
        self._end: IDelayedCall | None = None
        self._logged = ""

    @property
    def leads(self) -> bool:
        """Whether we are the leader at this moment."""
        return self._held_until is not None and self._clock.seconds() < self._held_until

    def start(self) -> None:
        """Begin to stand for election."""
        self._runs = True
        self._again()

    def stop(self) -> Deferred[None]:
        """End that; fires when the lease is given up, if we had it.

        What only the leader may do must have ended before.
        """
        self._runs = False
        for call in (self._next, self._end):
            if call is not None and call.active():
                call.cancel()
        if self._attempt is not None:
            self._attempt.cancel()
        led, self._held_until = self.leads, None
        return Deferred.fromCoroutine(self._give_up()) if led else succeed(None)

    def _again(self) -> None:
        self._attempt = Deferred.fromCoroutine(self._try())
        self._attempt.addTimeout(DEADLINE / 2, self._clock)
        self._attempt.addErrback(self._failed)
        self._attempt.addCallback(self._tried)

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError, TimeoutError, Unreachable):
            self._log("cannot have the lease of the leader; trying again", str(failure.value))
        # Whether the last request was carried out is not known.
        self._is_known = False

    def _tried(self, _: object) -> None:
        self._attempt = None
        if self._runs:
            self._next = self._clock.callLater(RETRY, self._again)

    async def _try(self) -> None:
        """Take the lease or renew it, if it is ours or nobody's."""
        began = self._clock.seconds()
        lease = self._lease
        try:
            if not (self.leads and self._is_known):
                lease = await self._api.get(LEASE, *self._place)
                self._seen = seen(lease, self._seen, self._clock.seconds())
                if self._seen.holder != self._me and not self._seen.is_over(began):
                    self._lose()
                    self._log("another operator is the leader; waiting", self._seen.holder)
                    return
            self._lease = await self._api.replace(claimed(lease, self._me, self._wall_clock()))
        except ApiError as error:
            if error.status == 409:
                self._is_known = False  # another request was faster
                return
            if error.status != 404:
                raise
            self._lease = await self._api.create(claimed(self._new(), self._me, self._wall_clock()))
        self._holds(began)

    def _new(self) -> Document:
        namespace, name = self._place
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.name,
            "metadata": {"name": name, "namespace": namespace},
        }

    def _holds(self, began: float) -> None:
        """Note that the lease is ours, from the time at which the request began."""
        self._is_known = True
        led, self._held_until = self._held_until is not None, began + DEADLINE
        if self._end is not None and self._end.active():
            self._end.cancel()
        left = max(0.0, self._held_until - self._clock.seconds())
        self._end = self._clock.callLater(left, self._lose)
        if not led:
            self._logged = ""
            klog.info("this operator is the leader", identity=self._me)
            self._led()

    def _lose(self) -> None:
        if self._held_until is not None:
            self._held_until = None
            klog.warning("this operator is no longer the leader", identity=self._me)
            self._lost()

    async def _give_up(self) -> None:
        given_up = claimed(self._lease, self._me, self._wall_clock(), given_up=True)
        with suppress(ApiError, Unreachable):  # it is over by itself soon
            await self._api.replace(given_up)

    def _log(self, message: str, reason: str) -> None:
        if (message + reason) != self._logged:
            self._logged = message + reason
            klog.info(message, reason=reason)
