"""Keeps what events leave behind: since when, the last word, the last scan, what was refused."""

from collections.abc import Callable, Mapping, Sequence

from twistdp.status.events import Event, Events, Kind


class ResourceProgress:
    """What has happened to one resource's session."""

    def __init__(self) -> None:
        self.registered: float | None = None
        """When the kubelet accepted it the last time."""
        self.failed: float | None = None
        """When an attempt failed first since then."""
        self.reason = ""
        """Why the last attempt failed; empty after one that succeeded."""
        self.last_word: float | None = None
        """The time when the kubelet last accepted the resource, called, or opened a stream."""


class ScannerProgress:
    """What has happened to one scanner."""

    def __init__(self) -> None:
        self.time: float | None = None
        """When its last scan ended."""
        self.seconds = 0.0
        """How long that took."""
        self.failing: str | None = None
        """Why the last scan failed; None if it did not."""
        self.hung = False
        """Whether the current scan takes too long."""


class FileProgress:
    """What has happened to one configuration file."""

    def __init__(self, time: float | None = None) -> None:
        self.time = time
        """When it was read again."""
        self.problems: Sequence[str] = ()


class Progress:
    """Follows `events` from now on, until `stop`; `keep` forgets resources that are gone.

    Times are in seconds since the epoch.
    """

    def __init__(self, events: Events) -> None:
        self.resources: dict[str, ResourceProgress] = {}
        self.scanners: dict[str, ScannerProgress] = {}
        self.files: dict[str, FileProgress] = {}
        takers: dict[Kind, Callable[[Event], None]] = {
            Kind.REGISTERED: self._registered,
            Kind.REGISTRATION_FAILED: self._registration_failed,
            Kind.STREAM_OPENED: self._stream_opened,
            Kind.CALLED: self._called,
            Kind.SCANNED: self._scanned,
            Kind.SCAN_FAILED: self._scan_failed,
            Kind.SCAN_HUNG: self._scan_hung,
            Kind.SCAN_RETURNED: self._scan_returned,
            Kind.SCAN_RECOVERED: self._scan_recovered,
            Kind.CONFIGURATION_READ: self._configuration_read,
            Kind.CONFIGURATION_REFUSED: self._configuration_refused,
        }
        for event in events.kept:
            if event.kind in takers:
                takers[event.kind](event)
        self.stop: Callable[[], None] = events.follow_each(takers)

    def keep(self, resources: Mapping[str, object]) -> None:
        """Forget the resources that are not among these."""
        for name in self.resources.keys() - resources.keys():
            del self.resources[name]

    # resources

    def _resource(self, event: Event) -> ResourceProgress:
        resource = event.facts["resource"]
        found = self.resources.get(resource)
        if found is None:
            found = self.resources[resource] = ResourceProgress()
        return found

    def _registered(self, event: Event) -> None:
        found = self._resource(event)
        found.registered = found.last_word = event.time
        found.failed, found.reason = None, ""

    def _registration_failed(self, event: Event) -> None:
        found = self._resource(event)
        found.failed, found.reason = found.failed or event.time, event.facts["reason"]

    def _stream_opened(self, event: Event) -> None:
        if event.facts["kubelets"]:
            self._resource(event).last_word = event.time

    def _called(self, event: Event) -> None:
        self._resource(event).last_word = event.time

    # scanners

    def _scanner(self, event: Event) -> ScannerProgress:
        return self.scanners.setdefault(event.facts["scanner"], ScannerProgress())

    def _scanned(self, event: Event) -> None:
        found = self._scanner(event)
        found.time, found.seconds, found.hung = event.time, event.facts["seconds"], False
        if not event.facts["failed"]:
            found.failing = None

    def _scan_failed(self, event: Event) -> None:
        self._scanner(event).failing = event.facts["reason"]

    def _scan_hung(self, event: Event) -> None:
        self._scanner(event).hung = True

    def _scan_returned(self, event: Event) -> None:
        self._scanner(event).hung = False

    def _scan_recovered(self, event: Event) -> None:
        self._scanner(event).failing = None

    # files

    def _configuration_read(self, event: Event) -> None:
        self.files[event.facts["file"]] = FileProgress(event.time)

    def _configuration_refused(self, event: Event) -> None:
        file = self.files.setdefault(event.facts["file"], FileProgress())
        file.problems = event.facts["problems"]
