"""The directory of an emulated kubelet: whether it may be used, and the checkpoint in it."""

import base64
import json
import os
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress

from twistdp.errors import BadSetting
from twistdp.kubelet import KUBELET_SOCKET
from twistdp.kubelet.checkpoint import CHECKPOINT
from twistdp.rpc import SocketFile, listener
from twistdp.testing.pods import Holding

_OURS = b'{"EmulatedBy":'  # a kubelet writes data and a checksum

CONTROL = "ctl.sock"
"""The name of the socket that takes commands; it is no plugin's, so it stays at a start."""


def sockets(directory: str) -> list[str]:
    """Return the paths of the sockets in a directory, but for `CONTROL`."""
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.name != CONTROL and stat.S_ISSOCK(
                    entry.stat(follow_symlinks=False).st_mode
                ):
                    found.append(entry.path)
    return found


def refuse_used_directory(directory: str, *, force: bool) -> None:
    """Raise `BadSetting` if `directory` is, or may be, another kubelet's.

    A starting kubelet deletes all sockets, so without `force` each must be one that its owner makes
    again: that of a twistdp plugin's resource or, where an emulated kubelet was before, of any
    plugin.  A kubelet that runs is refused, and so is the dead ``kubelet.sock`` that a real one
    leaves behind.  With `force` only a real kubelet's checkpoint is refused.
    """
    was_ours = has_checkpoint(directory)
    for path in () if force else sockets(directory):
        pid = listener(path)
        runs = pid is not None and os.path.basename(path) == KUBELET_SOCKET
        if runs or not (was_ours or _is_of_resource(path)):
            server = f"process {pid}" if pid else "another process"
            what = "left over" if pid is None else f"served by {server}"
            raise BadSetting(
                f"{directory}: holds the socket {os.path.basename(path)} ({what}), which a "
                "starting kubelet deletes; use an empty directory, or --force"
            )


def _is_of_resource(path: str) -> bool:
    """Whether a twistdp plugin has made the socket for a resource, or it is gone by now.

    A plugin's status socket has no ``_`` in its name, see `socket_path`; nobody makes it again.
    """
    try:
        return os.path.samefile(SocketFile(path).bound, path) and "_" in os.path.basename(path)
    except OSError:
        return not os.path.lexists(path)


def has_checkpoint(directory: str) -> bool:
    """Whether `directory` holds the checkpoint of an emulated kubelet.

    Raises `BadSetting` if it holds that of a real one.
    """
    path = os.path.join(directory, CHECKPOINT)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        content = None
    else:
        with open(fd, "rb") as file:
            found = os.fstat(fd)
            content = file.read(len(_OURS)) if stat.S_ISREG(found.st_mode) else None
    if content != _OURS:
        raise BadSetting(
            f"{directory}: holds the {CHECKPOINT} of another kubelet, which is never overwritten; "
            "use another directory"
        )
    return True


def write_checkpoint(directory: str, holdings: Iterable[Holding] = ()) -> None:
    """Replace the checkpoint atomically.  Raises `BadSetting` if it is another kubelet's."""
    has_checkpoint(directory)
    content = {"EmulatedBy": "twistdp", "Data": {"PodDeviceEntries": [*map(_entry, holdings)]}}
    fd, temporary = tempfile.mkstemp(prefix=".", dir=directory)
    try:
        with open(fd, "wb") as file:
            file.write(json.dumps(content, separators=(",", ":")).encode())
        os.rename(temporary, os.path.join(directory, CHECKPOINT))
    except OSError:
        os.unlink(temporary)
        raise


def _entry(held: Holding) -> dict[str, object]:
    """What a kubelet keeps of a container's devices of one resource."""
    per_node: dict[str, list[str]] = {}
    for id_ in held.ids:
        for number in held.numa.get(id_) or (-1,):
            per_node.setdefault(str(number), []).append(id_)
    return {
        "PodUID": f"{held.namespace}/{held.pod}",
        "ContainerName": held.container,
        "ResourceName": held.resource,
        "DeviceIDs": per_node,
        "AllocResp": base64.b64encode(held.answer).decode(),
    }
