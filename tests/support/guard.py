"""Ends the processes that a test process has started, should it be killed before it can."""

import os
import subprocess
from collections.abc import Collection
from pathlib import Path

_SCRIPT = 'directory=$1; shift; read -r _; kill -9 "$@"; rm -rf "$directory"'


class Guard:
    """A shell that waits for the end of this process, and then kills `pids`.

    The signal that the kernel sends when a parent ends would come when the thread that has started
    the processes ends, and trial ends its threads after each class of tests.
    """

    def __init__(self, directory: Path, pids: Collection[int]) -> None:
        theirs, self._pipe = os.pipe()  # this process alone has the other end
        self._shell = subprocess.Popen(
            ["sh", "-c", _SCRIPT, "guard", str(directory), *map(str, pids)],
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs)

    def leave(self) -> None:
        """Kill nobody; to be called before one of the processes is gone."""
        self._shell.kill()
        self._shell.wait()
        os.close(self._pipe)
