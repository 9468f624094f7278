"""A plugin that lists nothing first, and names its socket after the time.

``python -m tests.conformance.late PLUGIN_DIR WORK_DIR`` runs it.
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

from tests.conformance.subject import Lists, Plugin
from twistdp.kubelet import deviceplugin_v1beta1_pb2 as api

SEARCH = 0.3
"""Seconds in which it searches for its devices after it has registered."""


class Late(Plugin):
    """Registers at once and searches afterwards.  Its socket is named after the time in seconds.

    So it cannot start within a second of its predecessor's end, whose socket is in the way.
    """

    searched = False

    def start(self) -> None:
        """Do not start right after a predecessor, whose time `step` leaves."""
        self.seen = Path(self.work_dir, "..", "seen")
        with open("/proc/self/stat", encoding="ascii") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
        if self.seen.exists() and time.time() - age - self.seen.stat().st_mtime < 1.0:
            raise SystemExit(f"{self.socket}: address already in use")

    async def step(self) -> None:
        """As usual."""
        self.seen.touch()
        await super().step()

    async def serve(self) -> None:
        """With a name for each time."""
        before = self.socket
        self.endpoint = f"thing-{int(time.time())}.sock"
        self.socket = os.path.join(os.path.dirname(before), self.endpoint)
        await super().serve()
        if before != self.socket:
            Path(before).unlink(missing_ok=True)

    async def ListAndWatch(self, request: api.Empty, context: Any) -> Lists:
        """Nothing first."""
        if not self.searched:
            yield api.ListAndWatchResponse()
            await asyncio.sleep(SEARCH)
            self.searched = True
        async for message in super().ListAndWatch(request, context):
            yield message


if __name__ == "__main__":
    sys.exit(asyncio.run(Late(*sys.argv[1:]).run()))
