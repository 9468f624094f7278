"""Ends the process when SIGINT or SIGTERM asks for it, whatever they interrupt."""

import signal
from typing import Any, Final

from twisted.application.service import Service

from twistdp import klog

_ENDING: Final = (signal.SIGINT, signal.SIGTERM)


def end_at_once() -> None:
    """Have SIGINT end the process at once until the reactor runs, as SIGTERM does.

    Python's own handler raises KeyboardInterrupt wherever the process is, and the code that formats
    log lines catches that, so the signal would be lost.  There is nothing to clean up yet.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


class Ending(Service):
    """Has the reactor stop at the first of these signals; further ones change nothing.

    The reactor's handlers are called in its turn: they log, and cannot stop it twice.  Handlers
    that others installed, such as a debugger, stay.  twistd then ends by the signal; with `clean`
    it ends with status 0.
    """

    def __init__(self, reactor: Any, *, clean: bool = False) -> None:
        self._reactor = reactor
        self._clean = clean
        self._ends = False

    def startService(self) -> None:
        """Begin as soon as the reactor runs."""
        super().startService()
        self._reactor.callWhenRunning(self._handle)

    def _handle(self) -> None:
        replaced = signal.SIG_DFL, self._reactor.sigInt, self._reactor.sigTerm
        for number in _ENDING:
            if signal.getsignal(number) in replaced:
                signal.signal(number, self._caught)

    def _caught(self, number: int, _: object) -> None:
        self._reactor.callFromThread(self._end, number)

    def _end(self, number: int) -> None:
        if not self._ends:
            self._ends = True
            if self._clean:
                klog.info("a signal ends the process", signal=signal.Signals(number).name)
                self._reactor.stop()
                return
            stop = self._reactor.sigInt if number == signal.SIGINT else self._reactor.sigTerm
            stop(number)
