"""Bounds the log lines of many resources whose devices change at the same time."""

from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from twistdp.model import named
from twistdp.resource.summary import Change, counted
from twistdp.resource.users import Inquiry, Users, named_users, users_facts, warn_of_users
from twistdp.tools import Shared

_log = Logger()

AT_ONCE: Final = 10
"""Resources that have lines of their own within `PERIOD`; then others are gathered in one."""

PERIOD: Final = 1.0
"""Seconds: see `AT_ONCE`."""

SINGLE: Final = 3
"""Most gathered resources that still have a line each."""

MOST_NAMED: Final = 100
"""Most resources named in a line for programs."""


class Member(Protocol):
    """The changes of one resource, which are not logged yet."""

    resource: str
    inquiry: Inquiry

    @property
    def state(self) -> tuple[int, int, int]:
        """The number of devices, of those that are unhealthy, and of those left out."""

    def take(self) -> Change:
        """Return the changes; they count as logged."""

    @property
    def asks(self) -> bool:
        """Whether containers may have devices that have changed."""

    def write_gathered(self) -> None:
        """Log the changes."""


class Crowd:
    """Logs the changes of many resources in one line."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._since = float("-inf")
        self._logged: set[str] = set()
        self._waiting: dict[Member, None] = {}
        self._timer: IDelayedCall | None = None

    def allows(self, member: Member) -> bool:
        """Whether a resource may log a line at once; that line counts."""
        now = self._clock.seconds()
        if now - self._since >= PERIOD:
            self._since = now
            self._logged.clear()
        if self._waiting or len(self._logged - {member.resource}) >= AT_ONCE:
            return False
        self._logged.add(member.resource)
        return True

    def join(self, member: Member) -> None:
        """Log the changes of a resource soon, with those of others."""
        self._waiting[member] = None
        if self._timer is None:
            wait = max(0.0, self._since + PERIOD - self._clock.seconds())
            self._timer = self._clock.callLater(wait, self.log_all)

    def has(self, member: Member) -> bool:
        """Whether the changes of a resource wait."""
        return member in self._waiting

    def leave(self, member: Member) -> None:
        """Take back the changes of a resource that wait."""
        self._waiting.pop(member, None)
        if not self._waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def log_all(self) -> None:
        """Log the changes of all that wait."""
        waiting, self._waiting = list(self._waiting), {}
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if len(waiting) <= SINGLE:
            for member in waiting:
                member.write_gathered()
            return
        states = [member.state for member in waiting]
        devices, unhealthy, left_out = map(sum, zip(*states, strict=True))
        asking = [member.asks for member in waiting]
        changes = [member.take() for member in waiting]
        what = _sum(changes)
        users = [
            user
            for member, each in zip(waiting, changes, strict=True)
            for user in member.inquiry.known(each)
        ]
        names = [member.resource for member in waiting]
        line = "{count} more resources have changed, {resources}: {devices}{change}{end}"
        fields: dict[str, Any] = {
            "count": len(names),
            "resources": named(names),
            "devices": counted(devices, unhealthy, left_out),
            "change": f" ({what})" if what.ids else "",
            "end": f"; in use: {named_users(users)}" if users else "",
            "log_constant": "devices of many resources changed",
            "log_facts": {
                "resources": names[:MOST_NAMED],
                "count": len(names),
                "devices": devices,
                "unhealthy": unhealthy,
                "notListed": left_out,
                "changes": what.counts,
                **users_facts(users),
            },
        }
        if what.worse or users:
            _log.warn(line, **fields)
        else:
            _log.info(line, **fields)
        asked: list[Deferred[Users]] = [
            member.inquiry.ask(each) if asks else succeed(())
            for member, each, asks in zip(waiting, changes, asking, strict=True)
        ]
        gatherResults(asked).addCallback(
            lambda found: warn_of_users(dict(zip(names, found, strict=True)))
        )


def _sum(changes: list[Change]) -> Change:
    return Change(
        [id_ for each in changes for id_ in each.came],
        [id_ for each in changes for id_ in each.went],
        [text for each in changes for text in each.worse],
        [id_ for each in changes for id_ in each.better],
        sum(each.fallen for each in changes),
        [id_ for each in changes for id_ in each.ill],
        [id_ for each in changes for id_ in each.altered],
    )


_SHARED: Final = Shared(Crowd)


def crowd_of(clock: IReactorTime) -> Crowd:
    """The crowd of all resources on a reactor, or on a clock."""
    return _SHARED.of(clock)
