"""Logs how the devices of a resource change: at once, or gathered while they change often."""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from twistdp.kubelet import Holdings
from twistdp.model import Devices, Update, named
from twistdp.resource.crowd import crowd_of
from twistdp.resource.inventory import Inventory
from twistdp.resource.summary import Change, change, counted
from twistdp.resource.users import Inquiry, named_users, users_facts, warn_of_users

_log = Logger()

MOST_IDS: Final = 100
"""Most ids of one kind of change in a line for programs."""

FIRST: Final = 5
"""Lines of a resource within `WITHIN` that are logged at once; then changes are gathered."""

WITHIN: Final = 60.0
"""Seconds: see `FIRST`."""

SHORTEST, LONGEST = 2.0, 60.0
"""Seconds for which changes are gathered; they double with each line, until there is none."""

SOON: Final = 1.0
"""Seconds until the change of a device is logged that has not changed while others did."""

FLAPS: Final = 3
"""Changes of one device within one line from which on the line is a warning."""


class State(NamedTuple):
    """The number of a resource's devices."""

    devices: int
    unhealthy: int
    left_out: int

    def __str__(self) -> str:
        return counted(*self)


class ChangeLog:
    """Logs the changes of `inventory`, the devices of `resource`.

    A device that comes and goes all the time, or is ill now and then, has a line at times, with
    the number of changes and their result.  `crowd_of` bounds the lines of all resources
    together.  A line about devices that are gone or ill names the containers that have
    them, if `holdings` knows them; otherwise the kubelet is asked, and a second line names them.

    `earlier` keeps the logs of resources that have ended with their last device: one that is there
    again goes on where it was.
    """

    def __init__(
        self,
        resource: str,
        inventory: Inventory,
        holdings: Holdings,
        clock: IReactorTime,
        earlier: dict[str, Any] | None = None,
    ) -> None:
        self.resource = resource
        self._inventory = inventory
        self.inquiry = Inquiry(resource, inventory, holdings)
        self._clock = clock
        self._crowd = crowd_of(clock)
        self._lines: deque[float] = deque(maxlen=FIRST)
        """When the last ones were logged."""
        self._before: Devices | None = None
        """The devices before the first change that is not logged; None if all are."""
        self._since = 0.0
        self._often: Counter[str] = Counter()
        """How often each device has changed since."""
        self._changes = 0
        self._ill = ""
        """The last one that became unhealthy since, with its reason."""
        self._interval = SHORTEST
        self._known: set[str] = set()
        """Devices that have changed since changes are gathered."""
        self._timer: IDelayedCall | None = None
        self._earlier = {} if earlier is None else earlier
        if (before := self._earlier.pop(resource, None)) is not None:
            self._succeed(before)

    def _succeed(self, other: "ChangeLog") -> None:
        """Go on with what `other`, of the same resource before it had no device, has gathered."""
        self._lines = other._lines
        other.inquiry.stop()
        timer, other._timer = other._timer, None
        self._before, self._since = other._before, other._since
        self._often, self._changes, self._ill = other._often, other._changes, other._ill
        self._interval, self._known = other._interval, other._known
        if timer is not None:
            wait = max(0.0, timer.getTime() - self._clock.seconds())
            timer.cancel()
            self._timer = self._clock.callLater(wait, self._due)
        if self._crowd.has(other):
            self._crowd.leave(other)
            self._crowd.join(self)

    @property
    def state(self) -> State:
        """The current numbers."""
        inventory = self._inventory
        return State(len(inventory.devices), inventory.unhealthy, len(inventory.left_out))

    def look(self, before: Devices, what: Change) -> None:
        """Log `what` has changed in the devices `before`, at once or later with other changes."""
        if self._before is None:
            now = self._clock.seconds()
            often = len(self._lines) == FIRST and now - self._lines[0] < WITHIN
            if self._timer is None and not often and self._crowd.allows(self):
                self._write(what, asks=bool(before))
                return
            self._before, self._since = before, now
            if not often and self._timer is None:
                self._crowd.join(self)
        ids = set(what.ids)
        self._changes += 1
        self._often.update(ids)
        self._ill = what.worse[-1] if what.worse else self._ill
        if self._timer is None:
            if not self._crowd.has(self):
                self._timer = self._clock.callLater(self._interval, self._due)
        elif ids - self._known and self._timer.getTime() - self._clock.seconds() > SOON:
            self._timer.reset(SOON)
        self._known |= ids

    def stop(self) -> None:
        """Log what was gathered, and nothing more; the resource ends.

        If that is because it has no device, which may be back in a moment and flap for ever,
        gathering goes on, and who has the device is still logged.
        """
        if self._inventory.devices:
            self.close()
            return
        late = self._clock.seconds() - WITHIN
        for name, other in list(self._earlier.items()):
            if other.is_over(late):
                del self._earlier[name]
        self._earlier[self.resource] = self
        if self._timer is None:
            self._finish()

    def is_over(self, late: float) -> bool:
        """Whether nothing is gathered, and no line was logged since the time `late`."""
        return self._timer is None and not (self._lines and self._lines[-1] > late)

    def close(self) -> None:
        """Log what was gathered; nothing happens any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._finish()
        self.inquiry.stop()

    def _finish(self) -> None:
        if self._crowd.has(self):
            self._crowd.log_all()  # at the end of the process the others would follow one by one
        elif self._before is not None:
            self.write_gathered()

    def _due(self) -> None:
        self._timer = None
        if self._before is None:  # calm again
            self._interval = SHORTEST
            self._known.clear()
            return
        self._interval = min(2 * self._interval, LONGEST)
        self._timer = self._clock.callLater(self._interval, self._due)
        if self._crowd.allows(self):
            self.write_gathered()
        else:
            self._crowd.join(self)

    @property
    def asks(self) -> bool:
        """Whether containers may have devices that have changed since the last line."""
        return bool(self._before)  # not those of a first list

    def take(self) -> Change:
        """Return what has changed since the last line; it counts as logged."""
        before, self._before = self._before, None
        self._changes, self._ill = 0, ""
        self._often.clear()
        return change(before or {}, _difference(before or {}, self._inventory.devices))

    def write_gathered(self) -> None:
        """Log what has changed since the last line."""
        changes, often = self._changes, self._often.most_common()
        seconds, ill = self._clock.seconds() - self._since, self._ill
        asks = self.asks
        what = self.take()
        if changes == 1:
            self._write(what, asks=asks)
            return
        what_often = named(f"{id_} {count} times" for id_, count in often if count > 1)
        end = f"; {changes} changes in {seconds:.3g} s" + (what_often and f": {what_often}")
        if ill and not what.worse:
            end += f"; unhealthy at last: {ill}"
        self._write(
            what,
            asks=asks,
            flaps=bool(often) and often[0][1] >= FLAPS,
            end=end,
            facts={
                "changes": changes,
                "seconds": round(seconds, 3),
                "often": dict(often[:MOST_IDS]),
                **({"unhealthyAtLast": ill} if ill else {}),
            },
        )

    def _write(
        self,
        what: Change,
        *,
        asks: bool,
        flaps: bool = False,
        end: str = "",
        facts: Mapping[str, object] | None = None,
    ) -> None:
        self._lines.append(self._clock.seconds())
        users = self.inquiry.known(what) if asks else []
        line = "{resource}: {devices}{change}{end}"
        fields: dict[str, Any] = {
            "resource": self.resource,
            "devices": str(self.state),
            "change": f" ({what})" if what.ids else "",
            "end": end + (f"; in use: {named_users(users)}" if users else ""),
            "log_constant": "devices changed",
            "log_facts": {
                **_facts(self.resource, self.state, what),
                **(facts or {}),
                **users_facts(users),
            },
        }
        if what.worse or users or flaps:
            _log.warn(line, **fields)
        else:
            _log.info(line, **fields)
        if asks:
            self.inquiry.ask(what).addCallback(lambda users: warn_of_users({self.resource: users}))


def _facts(resource: str, state: State, what: Change) -> dict[str, object]:
    """The fields of a change, for programs."""
    return {
        "resource": resource,
        "devices": state.devices,
        "unhealthy": state.unhealthy,
        "notListed": state.left_out,
        **{
            key: ids[:MOST_IDS]
            for key in ("came", "went", "worse", "better", "altered")
            if (ids := getattr(what, key))
        },
    }


def _difference(before: Devices, devices: Devices) -> Update:
    """The update that leads from some devices to others."""
    changed = [
        id_ for id_, info in devices.items() if (old := before.get(id_)) is not info and old != info
    ]
    return Update(devices, changed, [id_ for id_ in before if id_ not in devices])
