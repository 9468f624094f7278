"""Registers resources the usual way: by a call of the kubelet's socket."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import DeferredSemaphore

from twistdp.errors import (
    CallFailed,
    CallTimedOut,
    KubeletAbsent,
    PeerUnavailable,
    RegistrationRefused,
    StillServed,
)
from twistdp.host import check_descriptors, check_server, remedy_for
from twistdp.kubelet.api import REGISTER, VERSION
from twistdp.kubelet.messages import DevicePluginOptions, Empty, RegisterRequest
from twistdp.kubelet.strategy import Registrant
from twistdp.rpc import Channel, Method

AT_ONCE = 16
"""Registrations at the same time.  Of hundreds, each would wait for all others, and the process
would keep the memory of their connections, some 30 kB each."""

TIMEOUT = 5.0
"""Seconds for the kubelet to answer, which usually takes 3 to 17 ms with its call back."""

_NOBODY = "no kubelet answers on {}: registration waits until one does"


class SocketRegistration:
    """Registers `resource` at the socket `kubelet`; see `RegistrationStrategy`.

    It takes one of `turns` while it calls the kubelet; resources of one process share them.
    """

    methods: Sequence[Method] = ()
    by_name = False

    def __init__(
        self,
        kubelet: str,
        resource: str,
        options: Callable[[], DevicePluginOptions],
        turns: DeferredSemaphore,
        reactor: Any,
    ) -> None:
        self._kubelet = kubelet
        self._resource = resource
        self._options = options
        self._turns = turns
        self._reactor = reactor

    def attach(self, registrant: Registrant) -> None:
        """See `RegistrationStrategy`; with this one a kubelet never begins by itself."""
        self._registrant = registrant

    async def register(self) -> None:
        """See `RegistrationStrategy`."""
        try:
            await self._registrant.server.listen()
        except StillServed:
            check_kubelet(self._kubelet)  # standing by makes sense only where this will succeed
            raise
        except FileNotFoundError as error:
            directory = os.path.dirname(self._registrant.server.path)
            if os.path.isdir(directory):
                raise
            raise KubeletAbsent(f"no kubelet yet: waiting for {directory} to appear") from error
        async with self._turns:
            check_kubelet(self._kubelet)
            await self._registrant.end_streams()  # not earlier: a kubelet may still use them
            await register(
                self._kubelet,
                self._resource,
                os.path.basename(self._registrant.server.path),
                self._options(),
                reactor=self._reactor,
            )


async def register(
    kubelet: str, resource: str, endpoint: str, options: DevicePluginOptions, *, reactor: Any
) -> None:
    """Register a resource's socket with the kubelet that listens on the socket `kubelet`.

    `endpoint` is the socket's file name in the same directory.  The kubelet dials it and asks
    for its options before it answers, so it must be served already.  Raises `KubeletAbsent`
    when nobody answers, `RegistrationRefused` when the kubelet refuses, and OSError when the
    process has no descriptor left.  See `check_kubelet` for whether it is the kubelet.
    """
    # A channel of its own for each attempt: another one would remember a refused connect.
    channel = Channel(kubelet, reactor=reactor)
    request = RegisterRequest(
        version=VERSION, endpoint=endpoint, resource_name=resource, options=options
    )
    try:
        # Without one neither side reaches the other, and gRPC gives other reasons.
        check_descriptors()
        try:
            await channel.unary(REGISTER, request, Empty, TIMEOUT)
        except CallFailed:
            check_descriptors()
            raise
    except CallTimedOut as error:
        raise RegistrationRefused(
            resource, f"no answer from the kubelet within {TIMEOUT:g} s; trying again"
        ) from error
    except CallFailed as error:
        if isinstance(error, PeerUnavailable) or error.status == "CANCELLED":  # it has stopped
            raise KubeletAbsent(_NOBODY.format(kubelet)) from error
        raise RegistrationRefused(
            resource, f"the kubelet refused: {error.details or error.status}; trying again"
        ) from error
    finally:
        await channel.close()


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
        raise KubeletAbsent(_NOBODY.format(path)) from error
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
