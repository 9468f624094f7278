"""The process's file descriptors: noticing that none is left, and one that is kept in reserve.

gRPC tells nobody when it cannot accept a connection, and libraries tell it in words of their own.
So it is looked at every second, and said once by whom they are held.
"""

import os
import re
import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from twistdp.host.children import keep_from_children
from twistdp.host.exhaustion import SOON, check_descriptors, mending

_log = Logger()

_NUMBER = re.compile(r":\[\d+\]$")


ENOUGH: Final = 65_536
"""So many descriptors the process lets itself have.  Not all it may have: where that is a thousand
million, a child that closes all it could have inherited would take minutes."""


def raise_limit() -> None:
    """Have as many descriptors as the hard limit allows and are `ENOUGH`; children have them too.

    The usual soft limit of 1024 is for programs that use select(2).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Reserve:
    """A descriptor for what must work when the process has no other left."""

    def __init__(self) -> None:
        self._fd = -1
        keep_from_children(self)

    def descriptors(self) -> tuple[int, ...]:
        """See `twistdp.host.children.Owner`."""
        return (self._fd,) if self._fd >= 0 else ()

    def take(self) -> None:
        """Have one, if one is to be had; does nothing while there is one."""
        if self._fd < 0:
            with suppress(OSError):
                self._fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def release(self) -> None:
        """Have none."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    @contextmanager
    def spent(self) -> Iterator[None]:
        """While the block runs, the process can open one file more."""
        there = self._fd >= 0
        self.release()
        try:
            yield
        finally:
            if there:
                self.take()


class DescriptorWatch(Service):
    """Logs that the process has no descriptor left, who holds them, and when that is over."""

    def __init__(self, reactor: Any) -> None:
        self._reserve = Reserve()
        self._reactor = reactor
        self._timer: IDelayedCall | None = None
        self._exhausted = False

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._look()

    def stopService(self) -> None:
        """Look no more, and give the reserve up."""
        super().stopService()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._reserve.release()

    def _look(self) -> None:
        self._timer = self._reactor.callLater(SOON, self._look)
        try:
            check_descriptors()
        except OSError as error:
            if not self._exhausted:
                self._exhausted = True
                with self._reserve.spent():
                    held = holders()
                _log.error(
                    "no file can be opened and no connection made: {reason}; {remedy}; open are: "
                    "{held}",
                    reason=error.strerror,
                    remedy=mending(error),
                    held=held,
                )
        else:
            self._reserve.take()
            if self._exhausted:
                self._exhausted = False
                _log.info("files can be opened again")


def holders() -> str:
    """What this process has open most of, with numbers."""
    counts: Counter[str] = Counter()
    with suppress(OSError):
        for name in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                counts[_NUMBER.sub("", os.readlink(f"/proc/self/fd/{name}"))] += 1
    return ", ".join(f"{count} {what}" for what, count in counts.most_common(4)) or "not known"
