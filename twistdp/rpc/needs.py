"""Whether gRPC can have what it cannot do without.

Its core starts threads and opens files when it is first used.  With too few of them it crashes, or
never begins to work.  Once it has them it keeps them.
"""

import errno
import os
from contextlib import ExitStack
from threading import Event, Thread
from typing import Final

THREADS: Final = 6 + min(max(os.cpu_count() or 1, 2), 16)
"""A pool of a size by the processors, and timers, pollers and watchers (grpcio 1.85)."""

DESCRIPTORS: Final = 12
"""For polling and waking (7), a server's socket and lock, and a connection each way."""

_checked = False


def check_needs() -> None:
    """Raise OSError while there is too little; to be called before gRPC is used."""
    global _checked
    if not _checked:
        _check_descriptors()
        _check_threads()
        _checked = True


def _check_descriptors() -> None:
    with ExitStack() as opened:
        for _ in range(DESCRIPTORS):
            opened.callback(os.close, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))


def _check_threads() -> None:
    go = Event()
    started = []
    try:
        for _ in range(THREADS):
            thread = Thread(target=go.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, f"gRPC needs {THREADS} threads: {error}") from error
    finally:
        go.set()
        for thread in started:
            thread.join()
