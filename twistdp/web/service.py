"""Listens for HTTP, on a unix socket for root and where the options say."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistdp.errors import SocketTaken, TwistdpError, Untrusted
from twistdp.host import check_ownership, close_directory, keep_from_children, make_directory
from twistdp.klog import V
from twistdp.rpc import UnixListener
from twistdp.settings import RUN_DIRECTORY
from twistdp.tools import Worker, hushed, quietly, stop_all
from twistdp.web.door import MOST_CONNECTIONS, Door

if TYPE_CHECKING:
    from twistdp.web.site import Answerer, Bounded

_log = Logger()

PAUSE: Final = 1.0
"""Seconds until an endpoint on which nothing can listen is tried again."""

MOST_NAMES: Final = 16
"""Plugins on one node whose sockets have the same first part of their name."""


class Web(Service):
    """Answers HTTP on `endpoints`, Twisted's descriptions of them, and on a unix socket.

    `hosts` are names that may be used over TCP.  `socket` is the path of the unix socket, without
    ``.sock``, None for none; if a live process has it, the next of ``-2``, ``-3`` is taken.
    `answerer` is called when somebody asks for the first time.
    """

    def __init__(
        self,
        answerer: "Callable[[], Answerer]",
        reactor: Any,
        *,
        endpoints: Sequence[str] = (),
        hosts: Sequence[str] = (),
        socket: str | None = None,
    ) -> None:
        self._answerer = answerer
        self._reactor = reactor
        self._endpoints = endpoints
        self._hosts = hosts
        self._socket = socket
        self._worker = Worker("http", reactor)
        self._listener: UnixListener | None = None
        self._ports: list[IListeningPort] = []
        self._retries: dict[str, IDelayedCall] = {}
        self._doors: list[Door] = []
        self._made: Answerer | None = None
        self.path: str | None = None
        """The unix socket that it listens on, None while there is none."""

    def startService(self) -> None:
        """Listen; what cannot be listened on is logged, and tried again."""
        super().startService()
        keep_from_children(self)
        # Not before the reactor has the descriptors that it needs itself.
        self._reactor.callWhenRunning(self._begin)

    def descriptors(self) -> Iterator[int]:
        """See `twistdp.host.children.Owner`."""
        if self._listener is not None:
            yield from self._listener.descriptors()
        for each in (*self._ports, *(one for door in self._doors for one in door.transports())):
            descriptor: Any = each
            yield descriptor.fileno()

    def _begin(self) -> None:
        if not self.running:
            return
        if self._socket is not None:
            self._listen_unix(self._socket)
        for description in self._endpoints:
            door = self._door()
            door.load()  # somebody will ask soon
            from twisted.internet.endpoints import serverFromString

            endpoint = serverFromString(self._reactor, _private(description))
            self._listen(description, endpoint, door)

    def stopService(self) -> Deferred[Any]:
        """Stop listening and end all connections; fires when nothing listens any more."""
        super().stopService()
        made, self._made = self._made, None
        listener, self._listener = self._listener, None
        ports, self._ports = self._ports, []
        stopped: list[Deferred[None] | None] = []
        steps: list[Callable[[], object]] = [self._worker.stop]
        # Nothing comes in before the doors are closed.
        if listener is not None:
            steps.append(lambda: stopped.append(listener.close()))
        steps += [partial(_stop, port, stopped) for port in ports]
        while self._retries:
            steps.append(self._retries.popitem()[1].cancel)
        while self._doors:
            steps.append(self._doors.pop().close)
        if made is not None:
            steps.append(made.stop)
        stop_all("http", *steps)
        self.path = None
        return Deferred.fromCoroutine(_stopped(stopped))

    def _door(self) -> Door:
        def load() -> "Bounded":
            import twistdp.web.routes  # noqa: F401  # here, not in the reactor's thread
            from twistdp.web.site import Bounded

            return Bounded(
                self._answer, reactor=self._reactor, most=MOST_CONNECTIONS, hosts=self._hosts
            )

        door = Door(load, self._worker)
        self._doors.append(door)
        return door

    def _answer(self) -> "Answerer":
        """What answers; called in the reactor's thread."""
        if self._made is None:
            self._made = self._answerer()
        return self._made

    def _listen(
        self, description: str, endpoint: IStreamServerEndpoint, door: Door, again: bool = False
    ) -> None:
        self._retries.pop(description, None)

        def listening(port: IListeningPort) -> None:
            if self.running:
                self._ports.append(hushed(port))
                _log.info("HTTP on {endpoint}", endpoint=description)
            else:
                port.stopListening()

        def failed(failure: Failure) -> None:
            if not again:
                _log.error(
                    "cannot listen for HTTP on {endpoint}: {reason}; give another --http",
                    endpoint=description,
                    reason=_reason(failure.value),
                )
            if self.running and failure.check(CannotListenError, Untrusted, OSError):
                self._retries[description] = self._reactor.callLater(
                    PAUSE, self._listen, description, endpoint, door, True
                )

        try:
            _check_place(endpoint)
        except (Untrusted, OSError):
            failed(Failure())
        else:
            quietly(endpoint.listen, door).addCallbacks(listening, failed)

    def _listen_unix(self, base: str) -> None:
        door = self._door()
        try:
            directory = os.path.dirname(base)
            if directory == RUN_DIRECTORY:
                close_directory(directory)
            make_directory(directory)
            self._listener, self.path = self._listening(base, door)
        except (OSError, TwistdpError) as error:
            V(1).info("no socket for HTTP", path=base, err=error)

    def _listening(self, base: str, door: Door) -> tuple[UnixListener, str]:
        """Listen on the first free name; raises `SocketTaken`, `Untrusted` and OSError."""
        for number in range(1, MOST_NAMES + 1):
            path = f"{base}.sock" if number == 1 else f"{base}-{number}.sock"
            listener = UnixListener(path, self._reactor)
            with suppress(SocketTaken):
                listener.open(door)
                return listener, path
        raise SocketTaken(f"{base}.sock", 0, f"{MOST_NAMES} plugins have such a socket")


def _reason(error: BaseException | None) -> str:
    """Why nothing can be listened on, in the system's words if it has any."""
    cause = error.socketError if isinstance(error, CannotListenError) else error
    return (getattr(cause, "strerror", None) or str(cause)).rstrip(".")


def _private(description: str) -> str:
    """A description of an endpoint, whose unix socket is for its owner unless it says otherwise."""
    kind, *arguments = description.removeprefix("haproxy:").split(":")
    if kind != "unix" or any(each.startswith("mode=") for each in arguments):
        return description
    return f"{description}:mode=600"


def _check_place(endpoint: object) -> None:
    """Raise `Untrusted` if others could exchange the unix socket of an endpoint.

    Twisted changes the mode of whatever has its name by then.
    """
    while (wrapped := getattr(endpoint, "_wrappedEndpoint", None)) is not None:
        endpoint = wrapped
    address = getattr(endpoint, "_address", None)
    if address is not None:
        check_ownership(os.path.dirname(os.path.abspath(address)))


def _stop(port: IListeningPort, stopped: list[Deferred[None] | None]) -> None:
    stopped.append(port.stopListening())


async def _stopped(stopped: Sequence[Deferred[None] | None]) -> None:
    for each in stopped:
        if each is not None:
            await each
