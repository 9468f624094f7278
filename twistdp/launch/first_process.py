"""Process 1 of a container: it reaps orphans, and runs the service as a child.

A process that loses its parent in the container becomes a child of process 1, and stays a zombie
if process 1 does not wait for it.  But waiting for any child takes results away from code that
waits for its own children, such as `subprocess`.  So process 1 does nothing but wait.
"""

import os
import signal
from contextlib import suppress
from typing import Final

_FROM_TERMINAL: Final = 0x80
"""The code of a signal from the kernel (SI_KERNEL): Ctrl-C reaches the service as well."""


def stand_in() -> int | None:
    """If this is process 1, fork the service and wait for it; call this before threads start.

    Returns None in the process in which the service goes on.  In process 1 it passes signals on,
    and returns the service's exit status when the service has ended: 128 plus the number if
    a signal ended it.
    """
    if os.getpid() != 1:
        return None
    signals = signal.valid_signals()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    service = os.fork()
    if service == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return None
    while True:
        came = signal.sigwaitinfo(signals)
        if came.si_signo == signal.SIGCHLD:
            status = _reap(service)
            if status is not None:
                return status
        elif came.si_code != _FROM_TERMINAL:
            with suppress(ProcessLookupError):
                os.kill(service, came.si_signo)


def _reap(service: int) -> int | None:
    """Wait for all children that have ended; return the service's exit status if it has."""
    status = None
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == service:
                code = os.waitstatus_to_exitcode(ended[1])
                status = 128 - code if code < 0 else code
    return status
