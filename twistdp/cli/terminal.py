"""Finds out whether people watch, and shows them what takes so long.

A file, a pipe and a log get plain lines.  Nothing of rich is imported before somebody sees it.
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

PATIENCE: Final = 1.0
"""Seconds after which people should see that something goes on."""


def console(stream: TextIO | None = None) -> "Console | None":
    """Return a console on standard output, or `stream`, or None if no terminal shows it.

    The console interprets no markup.  With ``NO_COLOR`` in the environment it has no colours.
    """
    stream = sys.stdout if stream is None else stream
    if stream is None or not stream.isatty():
        return None
    from twistdp.cli.drawing import Terminal

    found = Terminal(stream)
    return found if found.is_terminal and not found.is_dumb_terminal else None


class Busy:
    """Shows `what` and the time on standard error, once that takes longer than `PATIENCE`.

    With a `total` it also shows how much is done, which `advance` counts.  Used in a ``with``
    statement.  Does nothing if standard error is no terminal.
    """

    def __init__(self, what: str, total: int | None = None) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._begun = time.monotonic()
        self._ended = False
        self._lock = threading.Lock()
        self._shown: Progress | None = None
        self._timer = threading.Timer(PATIENCE, self._show)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        if sys.stderr is not None and sys.stderr.isatty():
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._ended = True
            if self._shown is not None:
                self._shown.stop()

    def advance(self) -> None:
        """Count one more that is done."""
        with self._lock:
            self._done += 1
            if self._shown is not None:
                self._shown.advance(self._shown.task_ids[0])

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Keep it off the terminal while something else is printed."""
        with self._lock:
            if self._shown is not None:
                self._shown.stop()
            try:
                yield
            finally:
                if self._shown is not None:
                    self._shown.start()

    def _show(self) -> None:
        with self._lock:
            if self._ended or (terminal := console(sys.stderr)) is None:
                return
            from twistdp.cli.drawing import progress

            self._shown = progress(terminal, self._what, self._total, self._done, self._begun)
            self._shown.start()
