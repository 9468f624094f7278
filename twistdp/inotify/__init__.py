"""File system events: one inotify descriptor a process, read by the reactor."""

from twistdp.inotify.descriptor import ATTRIBUTES, CONTENTS, ENTRIES
from twistdp.inotify.watches import Changes, Inotify, Watch, inotify_of

__all__ = ["ATTRIBUTES", "CONTENTS", "ENTRIES", "Changes", "Inotify", "Watch", "inotify_of"]
