"""What to do when the process, the node or a disk has run out of something.

Nothing here lasts for ever: space is freed, limits are raised.  So whatever fails for such a reason
stays as it was, says once what mends it, and is tried again soon, without a restart.
"""

import errno
import os
from typing import Final

SOON: Final = 1.0
"""Seconds between attempts while something has run out; no event tells when it is there again."""

MENDING: Final = {
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
"""How to mend what has run out, by errno."""


def mending(error: object) -> str | None:
    """How to mend what made an OSError; None for errors of another kind."""
    return MENDING.get(error.errno or 0) if isinstance(error, OSError) else None


def check_descriptors() -> None:
    """Raise OSError, with its errno, if the process can open no file now.

    For failures that do not tell their cause, as those of gRPC.
    """
    os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
