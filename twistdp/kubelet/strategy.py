"""What the ways to register a resource have in common."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from twisted.internet.defer import Deferred

from twistdp.rpc import Method, Server


class Registrant(NamedTuple):
    """A resource that is to be registered."""

    server: Server
    """Its server."""
    end_streams: Callable[[], Deferred[None]]
    """Ends its older streams before a registration: a kubelet drops its new connection when it sees
    the end of an older stream."""
    found: Callable[[], None]
    """To be called when a kubelet begins to register by itself; it leads to `register`."""
    is_live: Callable[[], bool]
    """Whether a kubelet has its stream open."""


class RegistrationStrategy(Protocol):
    """A way to have a resource registered."""

    @property
    def methods(self) -> Sequence[Method]:
        """What the resource's socket serves besides the device plugin API."""

    @property
    def by_name(self) -> bool:
        """Whether a kubelet drops a plugin when its socket's name vanishes."""

    def attach(self, registrant: Registrant) -> None:
        """Called once, before `register`, with the resource."""

    async def register(self) -> None:
        """Serve, and return when the kubelet has accepted the resource.

        May be called at any time, and cancelled.  Raises `KubeletAbsent`,
        `RegistrationRefused` or `Untrusted`, OSError, and what `Server.listen` does.
        """
