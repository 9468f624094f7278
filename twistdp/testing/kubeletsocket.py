"""The emulated kubelet's own socket, and the directory that it lies in."""

import os
import stat
import tempfile
from contextlib import suppress

from twisted.internet.defer import Deferred

from twistdp.errors import BadName, BadSetting
from twistdp.model import check_namespace, check_resource_type
from twistdp.rpc import Server, SocketFile, listener

CHECKPOINT = "kubelet_internal_checkpoint"
"""What a kubelet writes into the directory after every list."""

_CONTENT = b"{}"  # of ours; a kubelet's has data and a checksum

MODE = 0o755
"""Of ``kubelet.sock``, as a kubelet makes it."""


class RegistrationSocket(SocketFile):
    """The name ``kubelet.sock``; with `wipe`, a starting kubelet's, which deletes every socket."""

    def __init__(self, path: str, wipe: bool) -> None:
        super().__init__(path)
        self._wipe = wipe

    def publish(self) -> None:
        """Delete every socket, then appear, all in one go."""
        if self._wipe:
            for path in _sockets(os.path.dirname(self.path)):
                with suppress(FileNotFoundError):  # its plugin was faster
                    os.unlink(path)
        super().publish()
        os.chmod(self.path, MODE)


def kill(server: Server) -> Deferred[None]:
    """Stop as the death of its process would: the dead socket keeps its name."""
    server.file.forget()
    return server.stopService()


def refuse_used_directory(directory: str) -> None:
    """Raise `BadSetting` for a directory that holds sockets: somebody may need them."""
    for path in _sockets(directory):
        pid = listener(path)
        what = "left over" if pid is None else f"served by process {pid}"
        raise BadSetting(
            f"{directory}: holds the socket {os.path.basename(path)} ({what}), which a starting "
            "kubelet deletes; use an empty directory, or force it"
        )


def refuse_foreign_checkpoint(directory: str) -> None:
    """Raise `BadSetting` if a real kubelet keeps in `directory` who has which device."""
    path = os.path.join(directory, CHECKPOINT)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError:
        content = None
    else:
        with open(fd, "rb") as file:
            found = os.fstat(fd)
            content = file.read(len(_CONTENT) + 1) if stat.S_ISREG(found.st_mode) else None
    if content != _CONTENT:
        raise BadSetting(
            f"{directory}: holds the {CHECKPOINT} of another kubelet, which is never overwritten; "
            "use a directory of its own"
        )


def write_checkpoint(directory: str) -> None:
    """Write the file as a kubelet does, aside and renamed; `BadSetting` over another's."""
    refuse_foreign_checkpoint(directory)
    fd, temporary = tempfile.mkstemp(prefix=".", dir=directory)
    try:
        with open(fd, "wb") as file:
            file.write(_CONTENT)
        os.rename(temporary, os.path.join(directory, CHECKPOINT))
    except OSError:
        os.unlink(temporary)
        raise


def is_extended_resource_name(name: str) -> bool:
    """Whether a kubelet takes `name` for an extended resource."""
    namespace, _, resource_type = name.partition("/")
    try:
        check_namespace(namespace)
        check_resource_type(resource_type)
    except BadName:
        return False
    return True


def _sockets(directory: str) -> list[str]:
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode):
                    found.append(entry.path)
    return found
