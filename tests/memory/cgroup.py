"""A control group with a limit of memory, as a container is in."""

import os
from collections.abc import Sequence
from typing import Final

ROOT: Final = "/sys/fs/cgroup"


class MemoryGroup:
    """A group of its own, `limit` in bytes; raises OSError where there can be none.

    Of the first or the second version of control groups, whichever has memory here.
    """

    def __init__(self, name: str, limit: int) -> None:
        first = os.path.join(ROOT, "memory")
        self._first = os.path.exists(os.path.join(first, "memory.limit_in_bytes"))
        if not self._first:
            _write(os.path.join(ROOT, "cgroup.subtree_control"), "+memory")
        self.path = os.path.join(first if self._first else ROOT, name)
        os.mkdir(self.path)
        name = "memory.limit_in_bytes" if self._first else "memory.max"
        _write(os.path.join(self.path, name), str(limit))

    def command(self, command: Sequence[str]) -> list[str]:
        """A command that runs another one in the group."""
        script = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
        return ["/bin/sh", "-c", script, self.path, *command]

    def peak(self) -> int:
        """The most bytes that the group has had."""
        name = "memory.max_usage_in_bytes" if self._first else "memory.peak"
        with open(os.path.join(self.path, name), encoding="ascii") as file:
            return int(file.read())

    def remove(self) -> None:
        """Let there be no such group; its processes must have ended."""
        os.rmdir(self.path)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
