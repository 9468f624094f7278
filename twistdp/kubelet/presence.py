"""Whether a kubelet can be called at its socket."""

import os

from twistdp.errors import KubeletAbsent
from twistdp.host import check_server, remedy_for

NOBODY = "no kubelet answers on {}: registration waits until one does"


def socket_identity(path: str) -> tuple[int, int, int] | None:
    """What differs between two sockets that had the same path; None if there is nothing."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_ctime_ns


def check_kubelet(path: str) -> None:
    """Check that root, or our own user, listens on the kubelet's socket.

    Raises `Untrusted` if another user does, `KubeletAbsent` if it cannot be called, and OSError
    when something has run out.
    """
    try:
        check_server(path)
    except FileNotFoundError as error:
        raise KubeletAbsent(f"no kubelet yet: waiting for {path} to appear") from error
    except ConnectionRefusedError as error:
        raise KubeletAbsent(NOBODY.format(path)) from error
    except BlockingIOError as error:
        # It is there, but which process is it?  gRPC could not connect either.
        raise KubeletAbsent(
            f"the kubelet on {path} has more callers waiting than it takes: registration waits "
            "until it has answered them"
        ) from error
    except OSError as error:
        if remedy_for(error) is not None:
            raise
        raise KubeletAbsent(
            f"the kubelet on {path} cannot be called: {error.strerror or error}; let this process, "
            f"which runs as user {os.geteuid()}, connect to it, as root can"
        ) from error
