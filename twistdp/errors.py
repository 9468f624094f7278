"""Every refusal twistdp states on purpose, by who must act; knows no gRPC.

Each message is one line for a person: what was being done, to what, what went wrong and how to
mend it.  What becomes of an error on the wire is decided in one place, `twistdp.rpc.status`.
"""


class TwistdpError(Exception):
    """Base of all errors raised on purpose; ``str()`` is one line for a person."""


# The administrator must act: a setting, a path, another process.


class BadSetting(TwistdpError):
    """An option or setting cannot work; raised before anything is started."""


class SocketTaken(TwistdpError):
    """Somebody else is there where a server's socket should appear.

    `path` is the socket's path; `pid` the process that listens there, 0 when it is not known.
    """

    def __init__(self, path: str, pid: int, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.pid = pid


# The plugin's author must act: a scanner produced what Kubernetes cannot take.


class BadName(TwistdpError, ValueError):
    """A namespace, resource type or device id that the kubelet would refuse."""


class BadDevice(TwistdpError, ValueError):
    """A device, or a part of one, that no container could get."""


class BadTree(TwistdpError, TypeError):
    """A scan produced something that is not a `twistdp.DeviceTree`."""


class ConflictingDevices(TwistdpError):
    """Two devices of one container disagree on what it gets."""


# The pod's author or the scheduler must act; the text lands in the pod's status message.


class AllocationRefused(TwistdpError):
    """Base of the refusals of an allocation request."""


class UnknownDevice(AllocationRefused):
    """A device was asked for that is not, or no longer, there."""


class UnhealthyDevice(AllocationRefused):
    """A device was asked for that cannot be used now."""


# The caller must act: it sent bytes that are no message.


class MalformedMessage(TwistdpError, ValueError):
    """Bytes on the wire do not parse as the message they should be."""


# Nobody must act: what failed is tried again.


class CallFailed(TwistdpError):
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


class KubeletAbsent(TwistdpError, ConnectionError):
    """No kubelet answers on its registration socket; it is waited for."""


class RegistrationRefused(TwistdpError):
    """The kubelet answered a registration with an error; it is tried again."""
