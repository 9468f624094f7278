"""Every refusal twistdp states on purpose, by who must act; knows no gRPC.

Each message is one line for a person: what was being done, to what, what went wrong and how to
mend it.  An error that is caught to be stated differently stays the new one's cause (``raise ...
from``).  What becomes of an error on the wire is decided in one place, `twistdp.rpc.status`.
"""


class TwistdpError(Exception):
    """Base of all errors raised on purpose; ``str()`` is one line for a person."""


class AdministratorError(TwistdpError):
    """The administrator must act: an option, a path, another process."""


class PluginError(TwistdpError):
    """The plugin's author must act: a scanner does what Kubernetes cannot take."""


class PodError(TwistdpError):
    """The pod's author or the scheduler must act; the text lands in the pod's status message."""


class CallerError(TwistdpError):
    """Whoever called must act: it sent what no kubelet sends."""


class RetriedError(TwistdpError):
    """Nobody must act: what failed is tried again."""


# Administrator


class BadSetting(AdministratorError):
    """An option or setting cannot work; raised before anything is started."""


class SocketTaken(AdministratorError):
    """Somebody else is there where a server's socket should appear.

    `path` is the socket's path; `pid` the process that listens there, 0 when it is not known.
    """

    def __init__(self, path: str, pid: int, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.pid = pid
        self.reason = reason


class Untrusted(AdministratorError):
    """Others could change what a path leads to, or listen there; it is not used meanwhile.

    `reason` names what is wrong, with owner and mode, `remedy` what to do about it.
    """

    def __init__(self, path: str, reason: str, remedy: str) -> None:
        super().__init__(f"{path} cannot be trusted: {reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy

    def said_of(self, path: str) -> "Untrusted":
        """The same, of a path that leads there."""
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
    """Two devices of one container disagree on what it gets."""


class HookFailed(PluginError):
    """A scanner's hook raised something, or gave an answer that cannot be used."""


# Pod's author


class AllocationRefused(PodError):
    """A request for devices cannot be granted; hooks may raise it with a text for the pod."""


class UnknownDevice(AllocationRefused):
    """A device was asked for that is not, or no longer, there."""


class UnhealthyDevice(AllocationRefused):
    """A device was asked for that cannot be used now."""


class MissingNode(AllocationRefused):
    """A device was asked for whose node is gone, though no scan has found that out yet."""


# Caller


class MalformedMessage(CallerError, ValueError):
    """Bytes on the wire do not parse as the message they should be."""


class UnreasonableRequest(CallerError):
    """A message asks for so much that answering it would keep others waiting."""


class NoRoom(CallerError):
    """A peer wants more at once, or in one answer, than there is room for."""


# Nobody


class CallFailed(RetriedError):
    """A remote call was answered with an error.

    `status` is the gRPC status code's name, such as ``"UNKNOWN"``; `details` the peer's text.
    A handler that raises it answers its caller with just that status and text.
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
    """No kubelet answers on its registration socket; it is waited for."""


class RegistrationRefused(RetriedError):
    """The kubelet answered a registration with an error, or not at all; it is tried again."""

    def __init__(self, resource: str, reason: str) -> None:
        super().__init__(f"registration of {resource}: {reason}")
        self.reason = reason
