"""Recordings of a host's devices, in umockdev's text format."""

from twistdp.recording.anonymous import anonymous
from twistdp.recording.layout import lay_out, plug, unplug
from twistdp.recording.recorder import ATTRIBUTES, record
from twistdp.recording.root import open_root, read_recording
from twistdp.recording.text import BadRecording, Recorded, parse, write

__all__ = [
    "ATTRIBUTES",
    "BadRecording",
    "Recorded",
    "anonymous",
    "lay_out",
    "open_root",
    "parse",
    "plug",
    "read_recording",
    "record",
    "unplug",
    "write",
]
