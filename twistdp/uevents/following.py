"""Reports the devices that the kernel sends events about to any number of users.

Sysfs reports nothing through inotify: neither that a driver was bound or unbound, nor that a device
without a node came or went.  The kernel sends messages about that.

A message is a hint where to look.  Nothing else in it is believed, so anyone
who could forge one could cause a look at a device and no more.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from twistdp.host import SOON, remedy_for
from twistdp.klog import V
from twistdp.status import Kind, events_of
from twistdp.tools import Shared, stop_all
from twistdp.uevents.message import EVERY, parsed
from twistdp.uevents.socket import UeventSocket

_log = Logger()

SYSFS: Final = "/sys"

REST: Final = 60.0
"""Seconds after which an overflow is logged again: in a storm there may be many in a second."""


class Interest:
    """An interest in the devices of some subsystems; see `Uevents.follow`."""

    def __init__(
        self,
        owner: "Uevents",
        subsystems: frozenset[str],
        callback: Callable[[frozenset[str] | None], None],
    ) -> None:
        self._owner = owner
        self.subsystems = subsystems
        self.callback = callback

    def stop(self) -> None:
        """End it."""
        self._owner.forget(self)

    def report(self, changes: frozenset[str] | None) -> None:
        """Call the callback, and log what it raises."""
        with _log.failuresHandled("handling the kernel's events"):
            self.callback(changes)


@implementer(IReadDescriptor)
class Uevents:
    """The kernel's events for any number of users; the first opens the socket, the last closes it.

    Where the socket is not allowed, or none reach it, what the users do without events serves.
    """

    def __init__(self, reactor: Any, kernel: UeventSocket | None = None) -> None:
        self._reactor = reactor
        self._events = events_of(reactor)
        self._kernel = kernel or UeventSocket()
        self._interests: dict[Interest, None] = {}
        self._wanted: frozenset[str] = frozenset()
        """All subsystems that somebody is interested in."""
        self._logged = False
        self._overflow_logged = float("-inf")
        self._retry: IDelayedCall | None = None

    def follow(
        self, subsystems: Iterable[str], callback: Callable[[frozenset[str] | None], None]
    ) -> Interest:
        """Call `callback` in the reactor's thread with the devices that something happens to.

        It gets their paths below ``/sys``; None if events were lost, so that anything may have
        changed.  `EVERY` stands for all subsystems.  Never fails: logs once why there are no
        events, where the socket cannot be opened or none reach it.
        """
        interest = Interest(self, frozenset(subsystems), callback)
        self._interests[interest] = None
        self._count()
        if self.fileno() < 0 and self._retry is None:
            self._open()
        return interest

    def forget(self, interest: Interest) -> None:
        """End an interest."""
        self._interests.pop(interest, None)
        self._count()
        if not self._interests:
            self._logged = False
            self._close()

    def _count(self) -> None:
        self._wanted = frozenset().union(*(each.subsystems for each in self._interests))

    # IReadDescriptor

    def fileno(self) -> int:
        """Return the socket's descriptor, -1 while there is none."""
        return self._kernel.fileno()

    def logPrefix(self) -> str:
        """Return the name of this descriptor in log lines of the reactor."""
        return "uevents"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor reports a broken descriptor; the socket does not break."""
        _log.error("netlink socket lost: {reason}", reason=reason.getErrorMessage())

    def doRead(self) -> None:
        """Read some events, and report once to each user that they concern."""
        try:
            messages, has_lost = self._kernel.read()
        except OSError as error:
            self._close()
            self._refused(error)
            self._report_anything()
            return
        self._events.counts["event", "uevents"] += len(messages)
        if has_lost:
            self._events.emit(Kind.OVERFLOWED, source="uevents")
            now = self._reactor.seconds()
            if now >= self._overflow_logged + REST:
                self._overflow_logged = now
                _log.warn("the kernel's events overflow: scanning everything")
            self._report_anything()
            return
        concerned: dict[Interest, set[str]] = {}
        wanted = self._wanted
        for message in messages:
            event = parsed(message)
            if event is None or (event.subsystem not in wanted and EVERY not in wanted):
                continue
            for interest in self._interests:
                if event.subsystem in interest.subsystems or EVERY in interest.subsystems:
                    paths = concerned.setdefault(interest, set())
                    paths.add(SYSFS + event.path)
                    if event.old_path:
                        paths.add(SYSFS + event.old_path)
        for interest, changed in concerned.items():
            if interest in self._interests:
                interest.report(frozenset(changed))

    def _report_anything(self) -> None:
        for interest in list(self._interests):
            if interest in self._interests:
                interest.report(None)

    # the socket

    def _open(self) -> None:
        try:
            self._kernel.open()
        except OSError as error:
            self._refused(error)
        else:
            self._logged = False
            self._reactor.addReader(self)
            if self._kernel.is_deaf():
                self._log_once(
                    "the network namespace belongs to a user namespace, and has events of its own "
                    "interfaces only",
                    "use the node's network namespace, or no user namespace",
                )

    def _refused(self, error: OSError) -> None:
        """Log why there are no events; try again if something has only run out."""
        remedy = remedy_for(error) or "allow AF_NETLINK to have them at once"
        self._log_once(error.strerror, remedy)
        if remedy_for(error) is not None:
            self._retry = self._reactor.callLater(SOON, self._open_again)

    def _log_once(self, reason: str | None, remedy: str) -> None:
        if not self._logged:
            self._logged = True
            V(1).info(
                "no events of the kernel: rescans find what happens in sysfs",
                reason=reason,
                remedy=remedy,
            )

    def _open_again(self) -> None:
        self._retry = None
        self._open()
        if self.fileno() >= 0:
            self._report_anything()

    def _close(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self.fileno() >= 0:
            self._reactor.removeReader(self)
            stop_all("kernel events", self._kernel.close)


_SHARED: Final = Shared(Uevents)


def uevents_of(reactor: Any) -> Uevents:
    """Return the one `Uevents` of a reactor.

    It lives as long as there is a reference to it, or to an interest in it.
    """
    return _SHARED.of(reactor)
