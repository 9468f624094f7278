"""Waits for what happens in running plugins, of which some end and others start meanwhile."""

import threading
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Final

from twistdp.cli.asking import NoAnswer, news_of, sockets

PAUSE: Final = 1.0
"""Seconds after which new plugins are looked for, and those that have ended."""


class News:
    """What happens in the plugins on `paths`, or on all sockets of this node."""

    def __init__(self, paths: Sequence[str] = ()) -> None:
        self._paths = paths
        self._news: SimpleQueue[None] = SimpleQueue()
        self._followed: dict[str, threading.Thread] = {}
        self._found: list[str] = []

    def look(self) -> list[str]:
        """Return the sockets that there are, and follow them from now on."""
        self._found = list(self._paths or sockets())
        for path in self._found:
            known = self._followed.get(path)
            if known is None or not known.is_alive():
                thread = threading.Thread(target=self._follow, args=[path], daemon=True)
                self._followed[path] = thread
                thread.start()
        return self._found

    def wait(self, seconds: float) -> None:
        """Wait until something has happened since the last call, but `seconds` at least."""
        time.sleep(seconds)
        while True:
            try:
                self._news.get(timeout=PAUSE)
            except Empty:
                if self._found != self.look():
                    return
            else:
                break
        while not self._news.empty():
            self._news.get()

    def _follow(self, path: str) -> None:
        begun = False
        try:
            for _ in news_of(path):
                begun = True
                self._news.put(None)
        except NoAnswer:
            pass  # it is asked for its state too, and that has the reason
        if begun:
            self._news.put(None)
