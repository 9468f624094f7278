"""File system events: the reactor reads one inotify descriptor a process."""

from twistdp.inotify.descriptor import ATTRIBUTES, CONTENTS, ENTRIES
from twistdp.inotify.watches import Changes, Inotify, Watch, inotify_of

__all__ = ["ATTRIBUTES", "CONTENTS", "ENTRIES", "Changes", "Inotify", "Watch", "inotify_of"]
