"""Whether gRPC can start the threads that it needs."""

import errno
import os
from threading import Event, Thread
from typing import Final

NEEDED: Final = 6 + min(max(os.cpu_count() or 1, 2), 16)
"""So many threads has gRPC's core as soon as it is used: a pool of a size by the processors, and
timers, pollers and watchers (grpcio 1.85)."""

_checked = False


def require_threads() -> None:
    """Raise OSError while there cannot be enough threads; to be called before gRPC is used.

    With too few, its core crashes or never begins to work.  Once it has them it keeps them.
    """
    global _checked
    if _checked:
        return
    go = Event()
    started = []
    try:
        for _ in range(NEEDED):
            thread = Thread(target=go.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, f"gRPC needs {NEEDED} threads: {error}") from error
    finally:
        go.set()
        for thread in started:
            thread.join()
    _checked = True
