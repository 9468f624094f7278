"""As the first process of a container: reaping orphans, beside the service.

Whatever loses its parent in the container becomes a child of process 1, and a zombie for ever if
nobody waits for it.  Waiting for any child takes the results of those that others wait for, as
`subprocess` does; so the service is a child, and process 1 does nothing but wait.
"""

import os
import signal
from contextlib import suppress
from typing import Final

_FROM_TERMINAL: Final = 0x80
"""The code of a signal by the kernel (SI_KERNEL): Ctrl-C goes to the service as well."""


def stand_in() -> int | None:
    """Be process 1 beside the service, if this is process 1; to be called before threads start.

    Returns None in the process that the service is to go on in.  In process 1 it returns when that
    one has ended, with the exit status, which is 128 and the number if a signal has ended it.
    Signals are passed on.
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
    """Wait for all that have ended; the exit status of the service if it is among them."""
    status = None
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == service:
                code = os.waitstatus_to_exitcode(ended[1])
                status = 128 - code if code < 0 else code
    return status
