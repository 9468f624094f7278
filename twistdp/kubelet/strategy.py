"""What the ways to register a resource have in common."""

from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred

from twistdp.rpc import Method, Server


class RegistrationStrategy(Protocol):
    """A way to have a resource registered."""

    @property
    def methods(self) -> Sequence[Method]:
        """What the resource's socket serves besides the device plugin API."""

    @property
    def by_name(self) -> bool:
        """Whether a kubelet drops a plugin when its socket's name vanishes."""

    def attach(
        self,
        server: Server,
        end_streams: Callable[[], Deferred[None]],
        found: Callable[[], None],
        is_live: Callable[[], bool],
    ) -> None:
        """Called once, before `register`.

        `server` is the resource's.  `end_streams` ends its older streams before a registration: a
        kubelet drops its new connection when it sees the end of an older stream.  `found` is to be
        called when a kubelet begins to register by itself; it leads to `register`.  `is_live`
        returns whether a kubelet has its stream open.
        """

    async def register(self) -> None:
        """Serve, and return when the kubelet has accepted the resource.

        May be called at any time, and cancelled.  Raises `KubeletAbsent`,
        `RegistrationRefused` or `Untrusted`, OSError, and what `Server.listen` does.
        """
