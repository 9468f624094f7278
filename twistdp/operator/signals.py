"""Keeps SIGINT and SIGTERM for the reactor: kopf takes them in the main thread."""

import asyncio
import signal
from collections.abc import Callable
from typing import Any, Final

ENDING: Final = (signal.SIGINT, signal.SIGTERM)


class Kept:
    """The handlers that the process had for these signals before kopf took them."""

    def __init__(self) -> None:
        self._handlers: dict[signal.Signals, Callable[[int, Any], object]] = {}

    def keep(self) -> None:
        """Remember the handlers; to be called in the main thread, before kopf's first start."""
        for number in ENDING:
            handler = signal.getsignal(number)
            if callable(handler):
                self._handlers[number] = handler

    def give_back(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the loop call them again, in its turn.

        They replace kopf's on the loop, so a signal that has come meanwhile, which the loop has
        not looked at yet, is theirs too.
        """
        for number, handler in self._handlers.items():
            loop.add_signal_handler(number, handler, number, None)
