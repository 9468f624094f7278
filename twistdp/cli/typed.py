"""Reads the lines that somebody types, or that a pipe or a file holds, beside the reactor."""

import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.threads import blockingCallFromThread

LONGEST: Final = 64 * 1024
"""Bytes in a line; the beginning of a longer one is dropped."""


def follow_input(reactor: Any, take: Callable[[str], Any]) -> None:
    """Call `take` in the reactor's thread with each line of standard input, one after another.

    The next line is read when the Deferred that `take` returns has fired.  The end of the input
    ends nothing.
    """
    if sys.stdin is None:  # it was closed before the process began
        return
    fd = sys.stdin.fileno()
    if os.isatty(fd):
        # A read in the background would stop the process; now it fails.
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)

    def read() -> None:
        rest = b""
        while data := _read(fd):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                blockingCallFromThread(reactor, take, line.decode(errors="replace"))
            rest = rest[-LONGEST:]
        if rest:
            blockingCallFromThread(reactor, take, rest.decode(errors="replace"))

    # A daemon thread, since nothing interrupts a read.
    threading.Thread(target=read, name="input", daemon=True).start()


def _read(fd: int) -> bytes:
    """The next bytes; none at the end."""
    while True:
        try:
            return os.read(fd, 4096)
        except OSError as error:
            if error.errno != errno.EIO or not _in_background(fd):
                return b""
            time.sleep(1.0)  # until the shell's fg


def _in_background(fd: int) -> bool:
    try:
        return os.tcgetpgrp(fd) != os.getpgrp()
    except OSError:
        return False
