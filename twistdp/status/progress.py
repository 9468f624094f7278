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
        for event in events.kept:
            self._take(event)
        self.stop: Callable[[], None] = events.follow(self._take)

    def keep(self, resources: Mapping[str, object]) -> None:
        """Forget the resources that are not among these."""
        for name in self.resources.keys() - resources.keys():
            del self.resources[name]

    def _take(self, event: Event) -> None:
        facts = event.facts
        if "resource" in facts:
            found = self.resources.get(facts["resource"])
            if found is None:
                found = self.resources[facts["resource"]] = ResourceProgress()
            if event.kind is Kind.REGISTERED:
                found.registered, found.failed, found.reason = event.time, None, ""
            elif event.kind is Kind.REGISTRATION_FAILED:
                found.failed, found.reason = found.failed or event.time, facts["reason"]
            opened = event.kind is Kind.STREAM_OPENED and facts["kubelets"]
            if opened or event.kind in (Kind.REGISTERED, Kind.CALLED):
                found.last_word = event.time
        elif "scanner" in facts:
            scanner = self.scanners.setdefault(facts["scanner"], ScannerProgress())
            if event.kind is Kind.SCANNED:
                scanner.time, scanner.seconds, scanner.hung = event.time, facts["seconds"], False
                if not facts["failed"]:
                    scanner.failing = None
            elif event.kind is Kind.SCAN_FAILED:
                scanner.failing = facts["reason"]
            elif event.kind in (Kind.SCAN_HUNG, Kind.SCAN_RETURNED):
                scanner.hung = event.kind is Kind.SCAN_HUNG
            elif event.kind is Kind.SCAN_RECOVERED:
                scanner.failing = None
        elif event.kind is Kind.CONFIGURATION_READ:
            self.files[facts["file"]] = FileProgress(event.time)
        elif event.kind is Kind.CONFIGURATION_REFUSED:
            file = self.files.setdefault(facts["file"], FileProgress())
            file.problems = facts["problems"]
