"""Registers resources with the kubelet."""

from typing import Any

from twistdp.errors import (
    CallFailed,
    CallTimedOut,
    KubeletAbsent,
    PeerUnavailable,
    RegistrationRefused,
)
from twistdp.kubelet.api import REGISTER, VERSION
from twistdp.kubelet.messages import DevicePluginOptions, Empty, RegisterRequest
from twistdp.rpc import Channel

TIMEOUT = 5.0
"""Seconds for the kubelet to answer; usual are 3 to 17 ms, including its call back."""


async def register(
    kubelet: str, resource: str, endpoint: str, options: DevicePluginOptions, *, reactor: Any
) -> None:
    """Tell the kubelet that listens on the socket `kubelet` of a resource's socket.

    `endpoint` is the socket's file name in the same directory.  The kubelet dials it and asks
    for its options before it answers, so it must be served already.  Raises `KubeletAbsent`
    when nobody answers there, `RegistrationRefused` when the kubelet says no.
    """
    # A channel of its own for each attempt: another one would remember a refused connect.
    channel = Channel(kubelet, reactor=reactor)
    request = RegisterRequest(
        version=VERSION, endpoint=endpoint, resource_name=resource, options=options
    )
    try:
        await channel.unary(REGISTER, request, Empty, TIMEOUT)
    except PeerUnavailable as error:
        raise KubeletAbsent(
            f"no kubelet answers on {kubelet}: registration waits until one does"
        ) from error
    except CallTimedOut as error:
        raise RegistrationRefused(
            f"registration of {resource}: no answer from the kubelet within {TIMEOUT:g} s; "
            "trying again"
        ) from error
    except CallFailed as error:
        raise RegistrationRefused(
            f"registration of {resource}: the kubelet refused: {error.details or error.status}; "
            "trying again"
        ) from error
    finally:
        await channel.close()
