"""What happens in the process, as values: for the page, the metrics and whatever else follows."""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, NamedTuple

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from twistdp.status.naming import Names
from twistdp.tools import Shared

_log = Logger()

KEPT: Final = 500
"""Events that are kept for those who begin to follow later."""

MOST_IDS: Final = 100
"""Most devices that an event names outside this process."""


class Kind(Enum):
    """What has happened; the value is the name in the API.  Each states the facts of its events.

    Every kind about a resource has `resource`, its full name, and about a scanner `scanner`, its
    name in this process.
    """

    __hash__ = object.__hash__  # Enum's is a Python function, called several times for each event

    REGISTERED = "registered"
    """The kubelet has accepted the resource."""
    REGISTRATION_FAILED = "registrationFailed"
    """It has not, or could not be asked: `reason`; `refused` is whether it said so itself."""
    KUBELET_APPEARED = "kubeletAppeared"
    """A kubelet has made its socket in `directory`, at its start or again."""
    STREAM_OPENED = "streamOpened"
    """A ListAndWatch stream: `kubelets` is whether it is taken for a kubelet's."""
    STREAM_ENDED = "streamEnded"
    """Such a stream has ended: `kubelets`."""
    LIST_SENT = "listSent"
    """One list on one stream: `size` in bytes, `skipped` older lists that it replaces."""
    CALLED = "called"
    """A call of the kubelet has ended: `method`, `seconds`, gRPC's `status`."""
    ALLOCATED = "allocated"
    """Allocate has given `ids`, a list for each container.

    The event that is kept and shown outside has 100 of them at most; if there were more,
    `devices` is the number of all.
    """
    DEVICES_CHANGED = "devicesChanged"
    """`came`, `went`, `better` are ids, and `worse` texts of ids with their reason; `touched` has
    the ids of all that is not as before.  Each has 100 at most.  `devices` and `unhealthy` are
    counts.

    `changes` counts all devices that were ``added``, were ``removed``, became ``unhealthy`` and
    became ``healthy`` again, however many.
    """
    NOT_LISTED = "notListed"
    """`count` devices have no room in the list; 0 when all have room again."""
    HELD = "held"
    """Pods got or gave back devices: `held` and `released`, pairs of an id and its holder,
    100 of each at most.  `changes` counts all of them, as ``held`` and ``released``.  Of the
    resources that this process serves."""
    POD_RESOURCES = "podResources"
    """The kubelet says who has devices, or no longer does: `available`, and `reason` if not."""
    SCANNED = "scanned"
    """A scan of `scanner` has ended: `seconds`, and `failed` if it raised.

    With a loop of its own: a tree was taken, within `seconds`, or the loop has failed.
    """
    SCAN_FAILED = "scanFailed"
    """The first failure of `scanner`, or another one than before: `reason`."""
    SCAN_HUNG = "scanHung"
    """A scan of `scanner` has not returned for `seconds`."""
    SCAN_RETURNED = "scanReturned"
    """A scan that hung has returned."""
    SCAN_RECOVERED = "scanRecovered"
    """`scanner` works again, after `failures`."""
    OVERFLOWED = "overflowed"
    """The kernel has dropped events of `source`, which is inotify or uevents."""
    CONFIGURATION_READ = "configurationRead"
    """`file` is in force, with the `changed` resources."""
    CONFIGURATION_REFUSED = "configurationRefused"
    """`file` is refused because of its `problems`."""


TRANSIENT: Final = frozenset({Kind.LIST_SENT, Kind.CALLED, Kind.SCANNED})
"""Kinds that are too frequent to be kept."""


class Event(NamedTuple):
    """One thing that happened."""

    number: int
    """Each event has a higher one than those before it."""
    time: float
    """When, in seconds since the epoch."""
    kind: Kind
    facts: Mapping[str, Any]
    """As `Kind` states them; keys are in snake_case."""

    def brief(self) -> "Event":
        """The event as it is kept and shown outside: with at most `MOST_IDS` ids."""
        if self.kind is not Kind.ALLOCATED:
            return self
        count, ids = 0, []
        for some in self.facts["ids"]:
            if count < MOST_IDS:
                ids.append(some[: MOST_IDS - count])
            count += len(some)
        if count <= MOST_IDS:
            return self
        facts = {**self.facts, "ids": ids, "devices": count}
        return Event(self.number, self.time, self.kind, facts)


class Events:
    """Passes events on to those who follow, and keeps the newest.

    All is called in the reactor's thread.  The first event has the number after `last`.
    """

    def __init__(self, last: int = 0) -> None:
        self._followers: dict[Kind, tuple[Callable[[Event], None], ...]] = dict.fromkeys(Kind, ())
        self.number = last
        """The number of the newest event."""
        self.scanners: Final = Names()
        """The scanners by the names that events have."""
        self.kept: deque[Event] = deque(maxlen=KEPT)
        """The newest events, but for transient ones."""
        self.counts: Counter[tuple[str, ...]] = Counter()
        """How often things happened that are too frequent to be events.

        The keys are ``("event", SOURCE)``, for what the kernel has sent through inotify or
        uevents, and ``("check", KIND, RESULT)``, for a health check that ``passed`` or ``failed``.
        """

    def emit(self, kind: Kind, **facts: Any) -> None:
        """Something has happened."""
        followers = self._followers[kind]
        transient = kind in TRANSIENT
        if transient and not followers:
            return
        self.number += 1
        event = Event(self.number, time.time(), kind, facts)
        if not transient:
            self.kept.append(event.brief())
        for follower in followers:
            try:
                follower(event)
            except Exception:
                _log.failure("following the event {kind}", kind=kind.value)

    def follow(self, follower: Callable[[Event], None]) -> Callable[[], None]:
        """Call `follower` with each event from now on; returns what ends that."""
        return self.follow_each(dict.fromkeys(Kind, follower))

    def follow_each(self, followers: Mapping[Kind, Callable[[Event], None]]) -> Callable[[], None]:
        """Call the follower of its kind, if there is one, with each event from now on.

        Returns what ends that.
        """
        following = dict(followers)
        for kind, follower in following.items():
            self._followers[kind] += (follower,)

        def end() -> None:
            while following:  # not again at the next call: the same follower may follow twice
                kind, follower = following.popitem()
                left = list(self._followers[kind])
                left.remove(follower)
                self._followers[kind] = tuple(left)

        return end


# A peer that followed an earlier process, and names the last number that it has seen, has seen none
# of these.
_SHARED: Final = Shared(lambda _: Events(int(time.time() * 1000)))


def events_of(clock: IReactorTime) -> Events:
    """The events of all that runs on a reactor, or on a clock; keep it as long as you need it."""
    return _SHARED.of(clock)
