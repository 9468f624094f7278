"""Every error that twistdp raises on purpose, by who must act; knows no gRPC.

Each message is one line for a person: what was being done, to what, what went wrong and how to
fix it.  Code that catches an error to raise another one keeps it as the cause (``raise ...
from``).  One module, `twistdp.rpc.status`, decides what an error becomes on the wire.
"""

from collections.abc import Sequence


class TwistdpError(Exception):
    """Base of all errors raised on purpose; ``str()`` is one line for a person."""


class AdministratorError(TwistdpError):
    """The administrator must act: an option, a path, another process."""


class PluginError(TwistdpError):
    """The plugin's author must act: a scanner does something that Kubernetes does not accept."""


class PodError(TwistdpError):
    """The pod's author or the scheduler must act; the pod's status shows the text."""


class CallerError(TwistdpError):
    """The caller must act: it sent something that no kubelet sends."""


class RetriedError(TwistdpError):
    """Nobody must act: the operation is tried again."""


# Administrator


class BadSetting(AdministratorError):
    """An option or setting cannot work; raised before anything starts."""


class BadSettings(BadSetting):
    """Several settings cannot work, as in a file: `lines` has a reason for each."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


class SocketTaken(AdministratorError):
    """Something else is in the place of a server's socket.

    `path` is the socket's path; `pid` the process that listens there, 0 if it is not known.
    """

    def __init__(self, path: str, pid: int, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.pid = pid
        self.reason = reason


class StillServed(SocketTaken):
    """Another server is there, and ours stands by until it ends."""


class Untrusted(AdministratorError):
    """Others could change what a path leads to, or listen there, so the path is not used.

    `reason` names what is wrong, with owner and mode; `remedy` says what to do about it.
    """

    def __init__(self, path: str, reason: str, remedy: str) -> None:
        super().__init__(f"{path} cannot be trusted: {reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy

    def for_path(self, path: str) -> "Untrusted":
        """Return the same error for a path that leads there."""
        return type(self)(path, self.reason, self.remedy)


# Plugin's author


class BadName(PluginError, ValueError):
    """A namespace, resource type or device id that the kubelet would refuse."""


class BadDevice(PluginError, ValueError):
    """A device, or a part of one, that no container could get."""


class BadScanner(PluginError, ValueError):
    """A scanner lacks a method, or an attribute of it cannot be used."""


class BadTree(PluginError, TypeError):
    """A scan produced something that is not a `twistdp.DeviceTree`."""


class ConflictingDevices(PluginError):
    """Two devices of one container disagree about what it gets."""


class HookFailed(PluginError):
    """A scanner's hook raised an exception, or its answer cannot be used."""


# Pod's author


class AllocationRefused(PodError):
    """A request for devices is refused; hooks may raise it with a text for the pod's status."""


class UnknownDevice(AllocationRefused):
    """The requested device does not exist, or no longer exists."""


class UnhealthyDevice(AllocationRefused):
    """The requested device cannot be used now."""


class MissingNode(AllocationRefused):
    """The node of the requested device is gone, although no scan has noticed that yet."""


# Caller


class MalformedMessage(CallerError, ValueError):
    """Bytes on the wire do not parse as the expected message."""


class UnreasonableRequest(CallerError):
    """A message asks for so much that the answer would keep others waiting."""


class NoRoom(CallerError):
    """A peer asks for more at once, or in one answer, than there is room for."""


# Nobody


class CallFailed(RetriedError):
    """The answer to a remote call is an error.

    `status` is the gRPC status code's name, such as ``"UNKNOWN"``; `details` the peer's text.
    A handler that raises it answers its own caller with the same status and text.
    """

    def __init__(self, status: str, details: str) -> None:
        super().__init__(f"{status}: {details}" if details else status)
        self.status = status
        self.details = details


class PeerUnavailable(CallFailed, ConnectionError):
    """Nobody listens at the socket, or the connection broke during the call."""


class CallTimedOut(CallFailed, TimeoutError):
    """The peer did not answer within the call's time limit."""


class KubeletAbsent(RetriedError, ConnectionError):
    """No kubelet answers on its registration socket; the plugin waits for one."""


class RegistrationRefused(RetriedError):
    """The kubelet answered a registration with an error, or not at all; the plugin tries again."""

    def __init__(self, resource: str, reason: str) -> None:
        super().__init__(f"registration of {resource}: {reason}")
        self.reason = reason
