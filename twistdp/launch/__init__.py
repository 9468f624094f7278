"""The start: arguments, loading a scanner, process 1 of a container, the first log line."""

from twistdp.launch.choosing import ChoiceOptions
from twistdp.launch.command import CommandOptions
from twistdp.launch.ending import Ending, end_at_once
from twistdp.launch.first_process import stand_in
from twistdp.launch.loading import load_scanner, make
from twistdp.launch.manhole import Manhole, ManholeOptions
from twistdp.launch.opening import Opening, Serving

__all__ = [
    "ChoiceOptions",
    "CommandOptions",
    "Ending",
    "Manhole",
    "ManholeOptions",
    "Opening",
    "Serving",
    "configured",
    "end_at_once",
    "following",
    "load_scanner",
    "make",
    "stand_in",
]
