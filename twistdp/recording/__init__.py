"""Recordings of a host's devices, in umockdev's text format."""

from twistdp.recording.layout import lay_out
from twistdp.recording.root import open_root, read_recording
from twistdp.recording.text import BadRecording, Recorded, parse, write

__all__ = [
    "BadRecording",
    "Recorded",
    "lay_out",
    "open_root",
    "parse",
    "read_recording",
    "write",
]
