"""Ways to register resources with the kubelet, and the usual one of them."""

import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred, DeferredSemaphore

from twistdp.errors import (
    CallFailed,
    CallTimedOut,
    KubeletAbsent,
    PeerUnavailable,
    RegistrationRefused,
)
from twistdp.host import check_descriptors, check_server, remedy_for
from twistdp.kubelet.api import REGISTER, VERSION
from twistdp.kubelet.messages import DevicePluginOptions, Empty, RegisterRequest
from twistdp.rpc import Channel, Method, Server

AT_ONCE = 16
"""Registrations at the same time: of hundreds at once, each would wait for all others, and what
their connections take, some 30 kB each, would stay with the process."""

TIMEOUT = 5.0
"""Seconds for the kubelet to answer; usual are 3 to 17 ms, including its call back."""

_NOBODY = "no kubelet answers on {}: registration waits until one does"


class RegistrationStrategy(Protocol):
    """A way to have a resource registered."""

    @property
    def methods(self) -> Sequence[Method]:
        """What the resource's socket serves besides the device plugin API."""

    @property
    def by_name(self) -> bool:
        """Whether a kubelet lets go of a plugin when its socket's name vanishes."""

    def attach(
        self,
        server: Server,
        end_streams: Callable[[], Deferred[None]],
        found: Callable[[], None],
        is_live: Callable[[], bool],
    ) -> None:
        """Called once, before `register`.

        `server` is the resource's; `end_streams` ends its older streams, before a registration:
        a kubelet drops its new connection when it sees the end of an older stream; `found` is
        to be called when a kubelet begins to register by itself, and leads to `register`;
        `is_live` says whether a kubelet has its stream open.
        """

    async def register(self) -> None:
        """Serve, and return when the kubelet has accepted the resource.

        May be called at any time, and cancelled.  Raises `KubeletAbsent`,
        `RegistrationRefused` or `Untrusted`, OSError, and what `Server.listen` does.
        """


class SocketRegistration:
    """Registers `resource` at the socket `kubelet`; see `RegistrationStrategy`.

    `turns` are taken while the kubelet is called; resources of one process share them.
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

    def attach(
        self,
        server: Server,
        end_streams: Callable[[], Deferred[None]],
        found: Callable[[], None],
        is_live: Callable[[], bool],
    ) -> None:
        """See `RegistrationStrategy`; a kubelet that uses this way never begins by itself."""
        self._server = server
        self._end_streams = end_streams

    async def register(self) -> None:
        """See `RegistrationStrategy`."""
        try:
            await self._server.listen()
        except FileNotFoundError as error:
            directory = os.path.dirname(self._server.path)
            if os.path.isdir(directory):
                raise
            raise KubeletAbsent(f"no kubelet yet: waiting for {directory} to appear") from error
        async with self._turns:
            check_kubelet(self._kubelet)
            await self._end_streams()  # not before: they may be all that a kubelet still has of us
            await register(
                self._kubelet,
                self._resource,
                os.path.basename(self._server.path),
                self._options(),
                reactor=self._reactor,
            )


async def register(
    kubelet: str, resource: str, endpoint: str, options: DevicePluginOptions, *, reactor: Any
) -> None:
    """Tell the kubelet that listens on the socket `kubelet` of a resource's socket.

    `endpoint` is the socket's file name in the same directory.  The kubelet dials it and asks
    for its options before it answers, so it must be served already.  Raises `KubeletAbsent`
    when nobody answers there, `RegistrationRefused` when the kubelet says no, and OSError when
    the process has no descriptor left.  Whether it is the kubelet that answers, `check_kubelet`
    tells.
    """
    # A channel of its own for each attempt: another one would remember a refused connect.
    channel = Channel(kubelet, reactor=reactor)
    request = RegisterRequest(
        version=VERSION, endpoint=endpoint, resource_name=resource, options=options
    )
    try:
        # Without one we do not reach the kubelet, nor it us, and gRPC tells other reasons.
        check_descriptors()
        try:
            await channel.unary(REGISTER, request, Empty, TIMEOUT)
        except CallFailed:
            check_descriptors()
            raise
    except PeerUnavailable as error:
        raise KubeletAbsent(_NOBODY.format(kubelet)) from error
    except CallTimedOut as error:
        raise RegistrationRefused(
            resource, f"no answer from the kubelet within {TIMEOUT:g} s; trying again"
        ) from error
    except CallFailed as error:
        raise RegistrationRefused(
            resource, f"the kubelet refused: {error.details or error.status}; trying again"
        ) from error
    finally:
        await channel.close()


def check_kubelet(path: str) -> None:
    """See that it is root, or we ourselves, who listens on the kubelet's socket.

    Raises `Untrusted` when it is not, `KubeletAbsent` when nobody can be called there, and
    OSError when something has run out.
    """
    try:
        check_server(path)
    except FileNotFoundError as error:
        raise KubeletAbsent(f"no kubelet yet: waiting for {path} to appear") from error
    except ConnectionRefusedError as error:
        raise KubeletAbsent(_NOBODY.format(path)) from error
    except BlockingIOError as error:
        # Somebody is there, but who?  gRPC could not connect either.
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
