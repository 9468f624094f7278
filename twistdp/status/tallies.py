"""Counts what happens, for the metrics: plain numbers, and no more of them than there are things.

It follows the events from the start, in each plugin, so it does little with each of them.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Final

from twistdp.status.events import Event, Events, Kind

BOUNDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0)
"""Upper bounds of the buckets of durations, in seconds; the last bucket has none."""

FEW: Final = 64
"""Resources of which none is forgotten."""


class Durations:
    """How long something took, many times."""

    __slots__ = ("buckets", "sum")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        """How many took no longer than each of `BOUNDS`, and longer than the one before."""
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        """It took so long this time."""
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.sum += seconds


class ResourceTallies:
    """What has happened to one resource."""

    __slots__ = (
        "allocated",
        "calls",
        "changes",
        "list_bytes",
        "list_size",
        "lists",
        "lists_skipped",
        "registrations",
        "released",
        "streams",
    )

    def __init__(self) -> None:
        self.registrations = {"registered": 0, "refused": 0, "failed": 0}
        """Attempts to register, by how they ended."""
        self.streams = 0
        """Streams that were opened."""
        self.lists = 0
        """Lists that were sent."""
        self.list_bytes = 0
        """The bytes of all of them."""
        self.list_size: int | None = None
        """The bytes of the last one."""
        self.lists_skipped = 0
        """Lists that were never sent, since there was a newer one already."""
        self.changes = {"added": 0, "removed": 0, "unhealthy": 0, "healthy": 0}
        """Devices that have changed, by how."""
        self.allocated = 0
        """Devices that Allocate has given to containers."""
        self.released = 0
        """Devices that pods have given back."""
        self.calls: defaultdict[tuple[str, str], Durations] = defaultdict(Durations)
        """Calls of the kubelet, by method and gRPC's status."""


class ScannerTallies:
    """What has happened to one scanner."""

    __slots__ = ("failed", "hung", "scans")

    def __init__(self) -> None:
        self.scans = Durations()
        self.failed = 0
        """Scans that raised."""
        self.hung = 0
        """Scans that did not return in time."""


class Tallies:
    """Follows `events` from now on, until `stop`.

    When there are twice as many resources as the last time, those that `live` does not name
    are forgotten.
    """

    def __init__(self, events: Events, live: Callable[[], Collection[str]]) -> None:
        self._live = live
        self._most = FEW
        self.resources: dict[str, ResourceTallies] = {}
        self.scanners: dict[str, ScannerTallies] = {}
        self.kubelets = 0
        """How often a kubelet has made its socket."""
        self.overflows: Counter[str] = Counter()
        """How often the kernel has dropped events, by source."""
        self.files: Counter[tuple[str, str]] = Counter()
        """How often a configuration file was read again, by file and result."""
        self.counts: Mapping[tuple[str, ...], int] = events.counts
        self.stop: Callable[[], None] = events.follow_each(
            {
                Kind.REGISTERED: self._registered,
                Kind.REGISTRATION_FAILED: self._registration_failed,
                Kind.KUBELET_APPEARED: self._kubelet_appeared,
                Kind.STREAM_OPENED: self._stream_opened,
                Kind.LIST_SENT: self._list_sent,
                Kind.CALLED: self._called,
                Kind.ALLOCATED: self._allocated,
                Kind.DEVICES_CHANGED: self._devices_changed,
                Kind.HELD: self._held,
                Kind.SCANNED: self._scanned,
                Kind.SCAN_HUNG: self._scan_hung,
                Kind.OVERFLOWED: self._overflowed,
                Kind.CONFIGURATION_READ: self._configuration_read,
                Kind.CONFIGURATION_REFUSED: self._configuration_refused,
            }
        )

    # resources

    def _of(self, event: Event) -> ResourceTallies:
        resource = event.facts["resource"]
        found = self.resources.get(resource)
        if found is None:
            if len(self.resources) >= self._most:
                for name in self.resources.keys() - set(self._live()):
                    del self.resources[name]
                self._most = max(FEW, 2 * len(self.resources))
            found = self.resources[resource] = ResourceTallies()
        return found

    def _registered(self, event: Event) -> None:
        self._of(event).registrations["registered"] += 1

    def _registration_failed(self, event: Event) -> None:
        self._of(event).registrations["refused" if event.facts["refused"] else "failed"] += 1

    def _stream_opened(self, event: Event) -> None:
        self._of(event).streams += 1

    def _list_sent(self, event: Event) -> None:
        found = self._of(event)
        size = event.facts["size"]
        found.lists += 1
        found.list_size = size
        found.list_bytes += size
        found.lists_skipped += event.facts["skipped"]

    def _called(self, event: Event) -> None:
        facts = event.facts
        self._of(event).calls[facts["method"], facts["status"]].add(facts["seconds"])

    def _allocated(self, event: Event) -> None:
        self._of(event).allocated += sum(map(len, event.facts["ids"]))

    def _devices_changed(self, event: Event) -> None:
        changes = self._of(event).changes
        for how, count in event.facts["changes"].items():
            changes[how] += count

    def _held(self, event: Event) -> None:
        self._of(event).released += event.facts["changes"]["released"]

    # scanners

    def _scanner(self, event: Event) -> ScannerTallies:
        return self.scanners.setdefault(event.facts["scanner"], ScannerTallies())

    def _scanned(self, event: Event) -> None:
        found = self._scanner(event)
        found.scans.add(event.facts["seconds"])
        found.failed += event.facts["failed"]

    def _scan_hung(self, event: Event) -> None:
        self._scanner(event).hung += 1

    # the process

    def _kubelet_appeared(self, event: Event) -> None:
        self.kubelets += 1

    def _overflowed(self, event: Event) -> None:
        self.overflows[event.facts["source"]] += 1

    def _configuration_read(self, event: Event) -> None:
        self.files[event.facts["file"], "read"] += 1

    def _configuration_refused(self, event: Event) -> None:
        self.files[event.facts["file"], "refused"] += 1
