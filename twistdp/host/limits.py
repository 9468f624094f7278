"""What the process does when it, the node or a disk has run out of something.

No such state lasts for ever: somebody frees space or raises a limit.  So an operation that fails
for such a reason changes nothing, logs the remedy once, and is tried again soon, without a restart.

gRPC reports to nobody that it cannot accept a connection, and libraries report it in their own
words.  So `DescriptorWatch` looks every second whether a descriptor is left.
"""

import errno
import os
import re
import resource
from collections import Counter
from contextlib import ExitStack, suppress
from threading import Event, Thread
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

_log = Logger()

SOON: Final = 1.0
"""Seconds between attempts while something has run out: no event says when that is over."""

REMEDIES: Final = {
    errno.EMFILE: "raise the process's limit of open files (systemd: LimitNOFILE=, a shell: "
    "ulimit -n), or find what holds them in /proc/PID/fd",
    errno.ENFILE: "raise the sysctl fs.file-max, or find out who holds the node's open files",
    errno.ENOSPC: "free space or inodes there",
    errno.EDQUOT: "free space there, or raise the quota",
    errno.EROFS: "make its file system writable",
    errno.ENOMEM: "free memory, or raise the limit of it",
    errno.EAGAIN: "raise the limit of threads (systemd: TasksMax= and LimitNPROC=, a container: "
    "its limit of pids)",
}
"""What to do when something has run out, by errno."""

ENOUGH: Final = 65_536
"""The most descriptors that the process allows itself.  Some hard limits are a thousand million:
a child that closes all descriptors that it could have inherited would take minutes."""

_LOOKED_AT: Final = 4096
_NUMBER: Final = re.compile(r":\[\d+\]$")


def remedy_for(error: object) -> str | None:
    """Return what to do about an OSError that says what has run out; None for other errors."""
    return REMEDIES.get(error.errno or 0) if isinstance(error, OSError) else None


def check_descriptors(number: int = 1) -> None:
    """Raise OSError, with its errno, unless the process can open so many files now.

    For libraries that do not report why they failed, such as gRPC.
    """
    with ExitStack() as opened:
        for _ in range(number):
            opened.callback(os.close, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))


def check_threads(number: int) -> None:
    """Raise OSError, with its errno, unless the process can start so many threads now."""
    go = Event()
    started = []
    try:
        for _ in range(number):
            thread = Thread(target=go.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, f"cannot start {number} threads") from error
    finally:
        go.set()
        for thread in started:
            thread.join()


def raise_limit() -> None:
    """Raise the soft limit of descriptors to the hard limit or `ENOUGH`; children inherit it.

    The usual soft limit of 1024 is for programs that use select(2).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class DescriptorWatch(Service):
    """Logs that the process has no descriptor left, what holds them, and when that is over."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._timer: IDelayedCall | None = None
        self._exhausted = False

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._look()

    def stopService(self) -> None:
        """Stop looking."""
        super().stopService()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = self._reactor.callLater(SOON, self._look)
        try:
            check_descriptors()
        except OSError as error:
            if not self._exhausted:
                self._exhausted = True
                _log.error(
                    "no file can be opened and no connection made: {reason}; {remedy}; open are: "
                    "{held}",
                    reason=error.strerror,
                    remedy=remedy_for(error),
                    held=_open_files(),
                )
        else:
            if self._exhausted:
                self._exhausted = False
                _log.info("files can be opened again")


def _open_files() -> str:
    """Return what this process has open most among its first descriptors, with numbers."""
    counts: Counter[str] = Counter()
    for number in range(_LOOKED_AT):
        with suppress(OSError):  # listing the directory would take a descriptor
            counts[_NUMBER.sub("", os.readlink(f"/proc/self/fd/{number}"))] += 1
    return ", ".join(f"{count} {what}" for what, count in counts.most_common(4)) or "not known"
