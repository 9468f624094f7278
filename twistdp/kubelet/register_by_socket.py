"""Registers resources the usual way: by a call of the kubelet's socket."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from twistdp.errors import (
    CallFailed,
    CallTimedOut,
    KubeletAbsent,
    PeerUnavailable,
    RegistrationRefused,
    StillServed,
)
from twistdp.host import check_descriptors
from twistdp.kubelet.api import REGISTER, VERSION
from twistdp.kubelet.connection import Connections
from twistdp.kubelet.messages import DevicePluginOptions, Empty, RegisterRequest
from twistdp.kubelet.presence import NOBODY, check_kubelet
from twistdp.kubelet.strategy import Registrant
from twistdp.rpc import Channel, Method

TIMEOUT = 5.0
"""Seconds for the kubelet to answer, which usually takes 3 to 17 ms with its call back."""


class SocketRegistration:
    """Registers `resource` with the `kubelet`; see `RegistrationStrategy`.

    Resources of one process share its connections, until one gets no answer.
    """

    methods: Sequence[Method] = ()
    by_name = False

    def __init__(
        self,
        kubelet: Connections,
        resource: str,
        options: Callable[[], DevicePluginOptions],
        reactor: Any,
    ) -> None:
        self._kubelet = kubelet
        self._resource = resource
        self._options = options
        self._reactor = reactor
        self._alone = False
        """Whether the last answer did not come: others on its connection may have waited for it."""

    def attach(self, registrant: Registrant) -> None:
        """See `RegistrationStrategy`; with this one a kubelet never begins by itself."""
        self._registrant = registrant

    async def register(self) -> None:
        """See `RegistrationStrategy`."""
        try:
            await self._registrant.server.listen()
        except StillServed:
            check_kubelet(
                self._kubelet.path
            )  # standing by makes sense only where this will succeed
            raise
        except FileNotFoundError as error:
            directory = os.path.dirname(self._registrant.server.path)
            if os.path.isdir(directory):
                raise
            raise KubeletAbsent(f"no kubelet yet: waiting for {directory} to appear") from error
        async with self._kubelet.borrowed(self._reactor, alone=self._alone) as channel:
            await self._registrant.end_streams()  # not earlier: a kubelet may still use them
            await self.call(channel)
            self._alone = False

    async def call(self, channel: Channel) -> None:
        """Ask the kubelet; raises OSError when the process has no descriptor left.

        It dials the resource's socket and asks for its options before it answers.
        """
        request = RegisterRequest(
            version=VERSION,
            endpoint=os.path.basename(self._registrant.server.path),
            resource_name=self._resource,
            options=self._options(),
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
            self._alone = True
            raise RegistrationRefused(
                self._resource, f"no answer from the kubelet within {TIMEOUT:g} s; trying again"
            ) from error
        except CallFailed as error:
            if isinstance(error, PeerUnavailable) or error.status == "CANCELLED":  # it has stopped
                raise KubeletAbsent(NOBODY.format(self._kubelet.path)) from error
            why = f"the kubelet refused: {error.details or error.status}; trying again"
            raise RegistrationRefused(self._resource, why) from error
