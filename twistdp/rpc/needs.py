"""Checks that gRPC can have the threads and descriptors that it needs.

Its core starts and opens them when it is first used, and keeps them.  With too few it crashes or
never begins to work.
"""

import os
from typing import Final

from twistdp.host import check_descriptors, check_threads

THREADS: Final = 6 + min(max(os.cpu_count() or 1, 2), 16)
"""A pool whose size depends on the processors; timers, pollers and watchers (grpcio 1.85)."""

DESCRIPTORS: Final = 12
"""For polling and waking (7), a server's socket and lock, and a connection each way."""

_checked = False


def check_needs() -> None:
    """Raise OSError while there are too few; to be called before gRPC is used."""
    global _checked
    if not _checked:
        check_descriptors(DESCRIPTORS)
        check_threads(THREADS)
        _checked = True
