"""Reports how many devices a resource has, and how they change."""

from collections.abc import Sequence
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

import twistdp.klog as klog
from twistdp.kubelet import ALLOCATE, AllocateRequest, Holdings
from twistdp.model import Devices, Update
from twistdp.resource.changes import ChangeLog
from twistdp.resource.given import given_by, whole_answer
from twistdp.resource.history import History
from twistdp.resource.inventory import Inventory
from twistdp.resource.requests import asked_by
from twistdp.resource.room import MOST_BYTES
from twistdp.resource.summary import Change, change
from twistdp.rpc import EndedCall
from twistdp.status import Kind, events_of

_log = Logger()

MOST_IDS: Final = 100
"""Ids of one kind of change that an event has."""


class Report:
    """Logs the devices of `inventory`, those of `resource`, at the start and later.

    Emits the events of them, and keeps their history.
    """

    def __init__(
        self,
        resource: str,
        inventory: Inventory,
        holdings: Holdings,
        clock: IReactorTime,
        earlier: dict[str, Any] | None = None,
    ) -> None:
        self._resource = resource
        self._inventory = inventory
        self._events = events_of(clock)
        self._left_out = 0
        self._changes = ChangeLog(resource, inventory, holdings, clock, earlier)
        self.history = History()

    def begin(self) -> None:
        """Log the devices that there are, as a warning if some are unhealthy."""
        whole = Update(self._inventory.devices).whole()
        self.history.record({}, whole)
        found = change({}, whole)
        self._emit(found, whole.changed)
        self._changes.look({}, found)
        self._log_left_out()

    def look(self, before: Devices, update: Update, is_relisted: bool) -> None:
        """Log what an update of the devices `before` has changed in ids, health or the list."""
        what = change(before, update)
        self.history.record(before, update)
        self._emit(what, [*update.changed, *what.went])
        if is_relisted or what:
            self._changes.look(before, what)
        self._log_left_out()

    def end(self) -> None:
        """Log what is not logged yet, at the end of the resource."""
        self._changes.stop()

    def called(self, call: EndedCall) -> None:
        """Emit the event of a call of the kubelet that has ended."""
        if call.method.streaming:
            return
        self._events.emit(
            Kind.CALLED,
            resource=self._resource,
            method=call.method.path.rpartition("/")[2],
            seconds=call.seconds,
            status=call.status,
        )
        if call.method.path == ALLOCATE and call.answer is not None:
            self._allocated(call.request, call.answer)

    def _allocated(self, request: AllocateRequest, answer: bytes) -> None:
        """Log what containers were given; at level 1, all of it but the values."""
        given = given_by(answer)
        ids, shown = asked_by(request)
        klog.composed(
            f"{self._resource}: allocated {shown or 'nothing'}"
            f"{given.brief and f' ({given.brief})'}",
            "devices allocated",
            lambda: {
                "resource": self._resource,
                "ids": [some[:MOST_IDS] for some in ids[:MOST_IDS]],
                **given.facts(MOST_IDS),
            },
            **({"answer": whole_answer(answer)} if klog.V(1) else {}),
        )
        self._events.emit(Kind.ALLOCATED, resource=self._resource, ids=ids)

    def _emit(self, what: Change, touched: Sequence[str]) -> None:
        self._events.emit(
            Kind.DEVICES_CHANGED,
            resource=self._resource,
            came=what.came[:MOST_IDS],
            went=what.went[:MOST_IDS],
            worse=what.worse[:MOST_IDS],
            better=what.better[:MOST_IDS],
            touched=touched[:MOST_IDS],
            changes=what.counts,
            devices=len(self._inventory.devices),
            unhealthy=self._inventory.unhealthy,
        )

    def _log_left_out(self) -> None:
        """Log when the list has no room for all devices, and when it has room again."""
        left_out = len(self._inventory.left_out)
        if left_out == self._left_out:
            return
        self._left_out = left_out
        self._events.emit(Kind.NOT_LISTED, resource=self._resource, count=left_out)
        if left_out:
            _log.error(
                "{resource}: {left_out} of {devices} devices are not listed and cannot be used: "
                "the list would have {size} bytes, and a kubelet takes {most}; give the devices "
                "shorter ids, spread them over several resources, or find fewer of them",
                resource=self._resource,
                left_out=left_out,
                devices=len(self._inventory.devices),
                size=self._inventory.size,
                most=MOST_BYTES,
            )
        else:
            _log.info("{resource}: all devices are listed again", resource=self._resource)
