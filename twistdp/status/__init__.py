"""What goes on, as values: how far the resources have come, and what happens; for systemd too."""

from twistdp.status.condition import Condition, ResourceCondition, Standing
from twistdp.status.events import Event, Events, Kind, events_of
from twistdp.status.progress import FileProgress, Progress, ResourceProgress, ScannerProgress
from twistdp.status.systemd import reporter_from

__all__ = [
    "Condition",
    "Event",
    "Events",
    "FileProgress",
    "Kind",
    "Progress",
    "ResourceCondition",
    "ResourceProgress",
    "ScannerProgress",
    "Standing",
    "events_of",
    "reporter_from",
]
