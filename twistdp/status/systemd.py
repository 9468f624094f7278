"""Reports to the service manager how the process is: sd_notify(3) over a plain socket."""

import os
import socket
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from twistdp.status.condition import Condition, ready, sound, summary

_log = Logger()

READY_AT_THE_LATEST = 10.0
"""Seconds after which the process is ready even if a scan has not ended: units that start after the
plugin, such as the kubelet's, must not wait for a scanner that hangs."""

EAGER, CALM = 0.1, 1.0
"""Seconds between looks before the process is ready, and afterwards."""


class Reporter(Service):
    """Sends readiness, a status text and signs of life to the datagram socket `address`.

    `look` returns the conditions of all scanners.  A sign of life is due every `watchdog` seconds,
    so one is sent in each half of that time.  A call of the reactor sends it, so the reactor runs,
    and only while all sessions are sound.  A scanner that hangs does not stop the signs of life: it
    has a thread and a message of its own, its devices are served as before, and a restart
    would take the devices of the other scanners away.
    """

    def __init__(
        self,
        address: str,
        look: Callable[[], Sequence[Condition]],
        *,
        watchdog: float | None,
        reactor: Any,
    ) -> None:
        self._address = address
        self._look = look
        self._reactor = reactor
        self._half = watchdog / 2 if watchdog else None
        self._calm = min(CALM, self._half / 4) if self._half else CALM
        self._call: IDelayedCall | None = None
        self._since = 0.0
        self._fed = 0.0
        self._ready = False
        self._status = ""
        self._unsound = False
        self._unreachable = False

    def startService(self) -> None:
        """Look now and then periodically."""
        super().startService()
        self._since = self._fed = self._reactor.seconds()
        self._ready = self._unsound = False
        self._status = ""
        self._again()

    def stopService(self) -> None:
        """Report that the process is stopping."""
        super().stopService()
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self._send("STOPPING=1", "STATUS=stopping")

    def _again(self) -> None:
        # Planned first: an error below must not end it.
        self._call = self._reactor.callLater(self._calm if self._ready else EAGER, self._again)
        try:
            self._report(self._look())
        except Exception:
            _log.failure("reporting to the service manager")

    def _report(self, conditions: Sequence[Condition]) -> None:
        now = self._reactor.seconds()
        is_ready = self._ready or (ready(conditions) or now - self._since >= READY_AT_THE_LATEST)
        status = summary(conditions)
        feed = self._is_due(now) and self._check(conditions)
        lines = ["READY=1"] if is_ready and not self._ready else []
        if status != self._status:
            lines.append(f"STATUS={status}")
        if feed:
            lines.append("WATCHDOG=1")
        if lines and self._send(*lines):
            self._ready, self._status = is_ready, status
            if feed:
                self._fed = now

    def _is_due(self, now: float) -> bool:
        """Whether half of the time would be over at the next look."""
        return self._half is not None and now + self._calm - self._fed >= self._half

    def _check(self, conditions: Sequence[Condition]) -> bool:
        is_sound = sound(conditions)
        if not is_sound and not self._unsound:
            _log.error(
                "no sign of life is sent to the service manager's watchdog: {status}",
                status=summary(conditions),
            )
        self._unsound = not is_sound
        return is_sound

    def _send(self, *lines: str) -> bool:
        """Whether the manager got the lines; its socket may be full for a moment."""
        try:
            send(self._address, *lines)
        except OSError as error:
            if not self._unreachable:
                _log.warn(
                    "cannot report to the service manager on {address}: {error}",
                    address=self._address,
                    error=error.strerror or str(error),
                )
            self._unreachable = True
            return False
        self._unreachable = False
        return True


def send(address: str, *lines: str) -> None:
    """Send assignments as ``READY=1`` to `address`: a path, or ``@`` and an abstract name.

    Does not wait.  Raises OSError if they cannot be sent, for example because nobody listens or
    the socket is full.  See sd_notify(3).
    """
    target = f"\0{address[1:]}" if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.setblocking(False)
        sender.sendto("\n".join(lines).encode(), target)


def reporter_from(
    environ: MutableMapping[str, str], look: Callable[[], Sequence[Condition]], reactor: Any
) -> Reporter:
    """Return the reporter that the service manager's variables ask for; NOTIFY_SOCKET must be set.

    Removes them from `environ`: processes that a scanner starts must not report for this one.
    WATCHDOG_USEC counts if WATCHDOG_PID is this process, or is not given; see
    sd_watchdog_enabled(3).
    """
    address = environ.pop("NOTIFY_SOCKET")
    microseconds = environ.pop("WATCHDOG_USEC", "")
    process = environ.pop("WATCHDOG_PID", "") or str(os.getpid())
    watchdog = None
    if microseconds.isdecimal() and process == str(os.getpid()):
        watchdog = int(microseconds) / 1e6 or None
    return Reporter(address, look, watchdog=watchdog, reactor=reactor)
