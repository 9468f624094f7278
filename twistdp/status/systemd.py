"""Tells the service manager how the process is: sd_notify(3), with nothing but a socket."""

import os
import socket
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from twistdp.status.condition import Condition, ready, sound, told

_log = Logger()

READY_AT_THE_LATEST = 10.0
"""Seconds after which a scan that has not ended is waited for no longer: what is ordered after
the plugin, the kubelet say, must not wait for a scanner that hangs."""

EAGER, CALM = 0.1, 1.0
"""Seconds between looks before the process is ready, and afterwards."""


class Reporter(Service):
    """Sends readiness, a status text and signs of life to the datagram socket `address`.

    `look` gives the conditions of all scanners.  With `watchdog`, seconds within which a sign of
    life is due, one is sent in each half of that: from a call of the reactor, so it runs, and
    only while all sessions are sound.  A scanner that hangs does not end that: it has a thread
    and a message of its own, its devices are served as they were, and restarting for it would
    take those of the other scanners away.
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
        """Look now, and again and again."""
        super().startService()
        self._since = self._fed = self._reactor.seconds()
        self._ready = self._unsound = False
        self._status = ""
        self._again()

    def stopService(self) -> None:
        """Say that the end has begun."""
        super().stopService()
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self._send("STOPPING=1", "STATUS=stopping")

    def _again(self) -> None:
        # Planned first: whatever goes wrong below must not end it.
        self._call = self._reactor.callLater(self._calm if self._ready else EAGER, self._again)
        try:
            self._tell(self._look())
        except Exception:
            _log.failure("telling the service manager")

    def _tell(self, conditions: Sequence[Condition]) -> None:
        now = self._reactor.seconds()
        is_ready = self._ready or (ready(conditions) or now - self._since >= READY_AT_THE_LATEST)
        status = told(conditions)
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
        """Whether at the next look half of the time would be over."""
        return self._half is not None and now + self._calm - self._fed >= self._half

    def _check(self, conditions: Sequence[Condition]) -> bool:
        is_sound = sound(conditions)
        if not is_sound and not self._unsound:
            _log.error(
                "no sign of life is sent to the service manager's watchdog: {status}",
                status=told(conditions),
            )
        self._unsound = not is_sound
        return is_sound

    def _send(self, *lines: str) -> bool:
        """Whether the manager has them; it may be that its socket is full for now."""
        try:
            send(self._address, *lines)
        except OSError as error:
            if not self._unreachable:
                _log.warn(
                    "the service manager cannot be told anything on {address}: {error}",
                    address=self._address,
                    error=error.strerror or str(error),
                )
            self._unreachable = True
            return False
        self._unreachable = False
        return True


def send(address: str, *lines: str) -> None:
    """Send assignments as ``READY=1`` to `address`: a path, or ``@`` and an abstract name.

    Waits for nothing.  Raises OSError when they cannot be sent, as when nobody listens or the
    socket is full.  See sd_notify(3).
    """
    target = f"\0{address[1:]}" if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.setblocking(False)
        sender.sendto("\n".join(lines).encode(), target)


def reporter_from(
    environ: MutableMapping[str, str], look: Callable[[], Sequence[Condition]], reactor: Any
) -> Reporter:
    """The reporter that the service manager's variables ask for; it must have set NOTIFY_SOCKET.

    They are removed from `environ`: processes that a scanner starts must not speak for this one.
    WATCHDOG_USEC counts when WATCHDOG_PID is this process, or is not given; see
    sd_watchdog_enabled(3).
    """
    address = environ.pop("NOTIFY_SOCKET")
    microseconds = environ.pop("WATCHDOG_USEC", "")
    process = environ.pop("WATCHDOG_PID", "") or str(os.getpid())
    watchdog = None
    if microseconds.isdecimal() and process == str(os.getpid()):
        watchdog = int(microseconds) / 1e6 or None
    return Reporter(address, look, watchdog=watchdog, reactor=reactor)
