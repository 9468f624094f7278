"""Paths of unix sockets as gRPC takes them.

gRPC reads an address as a URI: ``%``, ``#`` and ``?`` have a meaning in it, and a client's address
ends at a comma, escaped or not.  A directory may have any of these in its name.
"""

import os
from urllib.parse import quote


def address(path: str) -> str:
    """The address of the socket `path` for a server; also for a client, if it has no comma."""
    return f"unix:{quote(os.fsencode(path))}"


class Peer:
    """A socket that a channel connects to, by its path if gRPC can read that.

    Otherwise by a descriptor of it, which is kept open; raises OSError if it cannot be opened.
    `close` it when nothing connects to `address` any more.
    """

    def __init__(self, path: str) -> None:
        self._held: int | None = None
        if "," in path:
            self._held = os.open(path, os.O_PATH | os.O_CLOEXEC)
            path = f"/proc/self/fd/{self._held}"
        self.address = address(path)

    def close(self) -> None:
        """Close the descriptor."""
        held, self._held = self._held, None
        if held is not None:
            os.close(held)
