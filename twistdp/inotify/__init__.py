"""File system events: the reactor reads one inotify descriptor a process."""

from twistdp.inotify.descriptor import ATTRIBUTES, CONTENTS, ENTRIES
from twistdp.inotify.watch import Changes, Watch
from twistdp.inotify.watches import Inotify, inotify_of

__all__ = ["ATTRIBUTES", "CONTENTS", "ENTRIES", "Changes", "Inotify", "Watch", "inotify_of"]
