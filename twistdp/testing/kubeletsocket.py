"""The emulated kubelet's own socket and its directory."""

import base64
import json
import os
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress

from twisted.internet.defer import Deferred

from twistdp.errors import BadName, BadSetting, CallFailed
from twistdp.kubelet import VERSION
from twistdp.kubelet.checkpoint import CHECKPOINT
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import RegisterRequest
from twistdp.model import check_namespace, check_resource_type
from twistdp.rpc import Server, SocketFile, listener
from twistdp.testing.pods import Holding

_OURS = b'{"EmulatedBy":'  # a kubelet writes data and a checksum

CONTROL = "ctl.sock"
"""The name of the socket that takes commands; it is no plugin's, so it stays at a start."""

MODE = 0o755
"""The mode of a kubelet's ``kubelet.sock``."""


class RegistrationSocket(SocketFile):
    """The file ``kubelet.sock``.  With `wipe` it first deletes all sockets but `CONTROL`."""

    def __init__(self, path: str, wipe: bool) -> None:
        super().__init__(path)
        self._wipe = wipe

    def publish(self) -> None:
        """Delete every socket and appear, without a turn of the reactor in between."""
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
    """Raise `BadSetting` for a directory that holds sockets, which somebody may need."""
    for path in _sockets(directory):
        pid = listener(path)
        what = "left over" if pid is None else f"served by process {pid}"
        raise BadSetting(
            f"{directory}: holds the socket {os.path.basename(path)} ({what}), which a starting "
            "kubelet deletes; use an empty directory, or --force"
        )


def refuse_foreign_checkpoint(directory: str) -> None:
    """Raise `BadSetting` if `directory` holds the checkpoint of a real kubelet."""
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
            content = file.read(len(_OURS)) if stat.S_ISREG(found.st_mode) else None
    if content != _OURS:
        raise BadSetting(
            f"{directory}: holds the {CHECKPOINT} of another kubelet, which is never overwritten; "
            "use another directory"
        )


def write_checkpoint(directory: str, holdings: Iterable[Holding] = ()) -> None:
    """Replace the checkpoint atomically.  Raises `BadSetting` if it is another kubelet's."""
    refuse_foreign_checkpoint(directory)
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


def is_extended_resource_name(name: str) -> bool:
    """Whether a kubelet accepts `name` for an extended resource."""
    namespace, _, resource_type = name.partition("/")
    try:
        check_namespace(namespace)
        check_resource_type(resource_type)
    except BadName:
        return False
    return True


def check_request(request: RegisterRequest) -> None:
    """Raise `CallFailed` for a Register that a kubelet refuses."""
    if request.version != VERSION:
        raise CallFailed(
            "UNKNOWN",
            f'requested API version "{request.version}" is not supported by kubelet. '
            f'Supported version is ["{VERSION}"]',
        )
    if not is_extended_resource_name(request.resource_name):
        raise CallFailed("UNKNOWN", f'the ResourceName "{request.resource_name}" is invalid')


def _sockets(directory: str) -> list[str]:
    """The sockets in a directory, but for `CONTROL`."""
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.name != CONTROL and stat.S_ISSOCK(
                    entry.stat(follow_symlinks=False).st_mode
                ):
                    found.append(entry.path)
    return found
