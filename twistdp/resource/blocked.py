"""Reports foreign code that blocks the reactor's thread, from a thread of its own."""

import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, Final

from twisted.logger import Logger

_log = Logger()

LONG: Final = 5.0
"""Seconds without a turn of the reactor after which that is reported."""

PAUSE: Final = 1.0
"""Seconds between two checks that the reactor still turns."""


class BlockedWatch:
    """Checks that the reactor goes on turning while foreign code runs in its thread.

    A blocked thread could not report that itself.  The watching thread ends when there has been
    nothing to watch for a while.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._changed = threading.Condition()
        self._watched: list[str] = []
        self._thread: threading.Thread | None = None
        self._reactor_thread = 0

    @contextmanager
    def watching(self, what: str) -> Iterator[None]:
        """Watch the reactor's thread during the block; `what` names the foreign code in it."""
        with self._changed:
            self._watched.append(what)
            self._reactor_thread = threading.get_ident()
            if self._thread is None:
                thread = threading.Thread(target=self._watch, name="blocked-watch", daemon=True)
                with suppress(RuntimeError):  # no thread can start now
                    thread.start()
                    self._thread = thread
        try:
            yield
        finally:
            with self._changed:
                self._watched.remove(what)

    def _watch(self) -> None:
        while True:
            if self._watched:  # otherwise it would leave a call to a reactor that has stopped
                turned = threading.Event()
                self._reactor.callFromThread(turned.set)
                if not turned.wait(LONG):
                    self._report(turned)
            with self._changed:
                self._changed.wait(PAUSE)
                if not self._watched:
                    self._thread = None
                    return

    def _report(self, turned: threading.Event) -> None:
        begun = monotonic() - LONG
        with self._changed:
            names = " and ".join(dict.fromkeys(self._watched)) or "what has just ended"
        frame = sys._current_frames().get(self._reactor_thread)
        _log.error(
            "{names}: the process has been blocked for {seconds:g} s, nothing else goes on, and "
            "the kubelet admits no other pod; move blocking code to a thread. It is here:\n{stack}",
            names=names,
            seconds=LONG,
            stack="".join(traceback.format_stack(frame)) if frame else "",
        )
        turned.wait()
        _log.warn(
            "{names}: the process goes on after {seconds:.1f} s",
            names=names,
            seconds=monotonic() - begun,
        )
