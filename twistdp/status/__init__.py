"""What goes on, as values: how far the resources have come, and what happens; for systemd too."""

from twistdp.status.condition import Condition, ResourceCondition, Standing
from twistdp.status.events import TRANSIENT, Event, Events, Kind, events_of
from twistdp.status.naming import Name, Names
from twistdp.status.progress import FileProgress, Progress, ResourceProgress, ScannerProgress
from twistdp.status.tallies import BOUNDS, Durations, ResourceTallies, ScannerTallies, Tallies

__all__ = [
    "BOUNDS",
    "TRANSIENT",
    "Condition",
    "Durations",
    "Event",
    "Events",
    "FileProgress",
    "Kind",
    "Name",
    "Names",
    "Progress",
    "ResourceCondition",
    "ResourceProgress",
    "ResourceTallies",
    "ScannerProgress",
    "ScannerTallies",
    "Standing",
    "Tallies",
    "events_of",
    "systemd",
]
