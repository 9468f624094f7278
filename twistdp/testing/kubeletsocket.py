"""The emulated kubelet's own socket, and what it checks of a Register."""

import os
from contextlib import suppress

from twisted.internet.defer import Deferred

from twistdp.errors import BadName, CallFailed
from twistdp.kubelet import VERSION
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import RegisterRequest
from twistdp.model import check_namespace, check_resource_type
from twistdp.rpc import Server, SocketFile
from twistdp.testing.kubeletdirectory import sockets

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
            for path in sockets(os.path.dirname(self.path)):
                with suppress(FileNotFoundError):  # its plugin was faster
                    os.unlink(path)
        super().publish()
        os.chmod(self.path, MODE)


def kill(server: Server) -> Deferred[None]:
    """Stop as the death of its process would: the dead socket keeps its name."""
    server.file.forget()
    return server.stopService()


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
