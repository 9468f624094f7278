"""Looks at sockets and directories as the checks do: who listens, and who could change them."""

import errno
import os
import stat
from typing import Final

import attrs

from twistdp.doctor.findings import Finding, Findings, error, warning
from twistdp.doctor.host import Host, is_socket
from twistdp.host import Peer, may_others_write

DEAD: Final = (errno.ECONNREFUSED, errno.ENOENT)


@attrs.frozen
class Listener:
    """The process that listens on a socket, or why none is seen.

    `peer` is the process that listens.  If it is None, `reason` says why, and `is_dead` is true if
    nobody listens.  A socket whose queue is full has a listener that is not seen.
    """

    peer: Peer | None
    reason: str = ""
    is_dead: bool = False


def listener(host: Host, path: str) -> Listener:
    """Return who listens on a socket; connect to it and disconnect without a byte."""
    try:
        peer = host.peer(path)
    except BlockingIOError:
        return Listener(None, "its queue of connections is full, so the process may hang")
    except OSError as failure:
        return Listener(None, failure.strerror or str(failure), failure.errno in DEAD)
    if not peer.alive:
        return Listener(None, "the process has ended, and a child of it has it open", is_dead=True)
    return Listener(peer)


def is_open(host: Host, path: str) -> bool:
    """Whether other users can reach what is in a directory: the ones above it let them, too."""
    here = path
    while True:
        found = host.stat(here)
        if found is None or not found.st_mode & stat.S_IXOTH:
            return False
        if here in ("/", ""):
            return True
        here = os.path.dirname(here)


def guarded(host: Host, path: str, danger: str) -> Findings:
    """Findings about a directory that exists, if others than root could change what is in it."""
    found = host.stat(path)
    if found is None:
        return
    mode = f"{stat.S_IMODE(found.st_mode):04o}"
    if not stat.S_ISDIR(found.st_mode):
        yield error(f"{path} is no directory", danger, f"move it away: mv {path} {path}.old")
    elif found.st_uid not in host.owners:
        yield error(
            f"{path} belongs to user {found.st_uid} (mode {mode})",
            f"that user could {danger}",
            f"chown root:root {path}",
        )
    elif may_others_write(host.where(path), found):
        yield error(
            f"other users may write in {path} (mode {mode})",
            f"they could {danger}",
            f"chmod go-w {path}",
        )


def names_of_sockets(host: Host, directory: str) -> list[str]:
    """The paths of the sockets in a directory."""
    paths = [os.path.join(directory, name) for name in host.names(directory)]
    return [path for path in paths if is_socket(host.stat(path))]


def process_of(host: Host, peer: Peer) -> str:
    """A process as people know it: its number, and the program if it is seen."""
    if peer.pid <= 0:
        return "a process of another PID namespace"
    name = host.line(f"/proc/{peer.pid}/comm") if host.is_this else None
    return f"process {peer.pid}" + (f" ({name})" if name else "")


def strangers(host: Host, path: str, peer: Peer) -> Finding | None:
    """A finding if another user than root listens where the kubelet should."""
    if peer.uid in host.owners:
        return None
    return warning(
        f"{process_of(host, peer)} of user {peer.uid} listens on {path}, not root",
        "plugins of twistdp do not talk to it, since it may not be the kubelet",
        "end that process and restart the kubelet; in a pod with hostUsers: false, run this on the "
        "node itself",
    )
