"""Listens for HTTP, and loads what answers only when somebody asks.

A plugin that nobody looks at pays neither memory nor time of its start for it.
"""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistdp.errors import SocketTaken, TwistdpError
from twistdp.host import make_directory
from twistdp.klog import V
from twistdp.rpc import SocketFile
from twistdp.tools import Worker, stop_all

if TYPE_CHECKING:
    from twistdp.web.site import Answerer

_log = Logger()

MOST_CONNECTIONS: Final = 256
"""Connections of one listener at a time; the next one is closed at once."""

MOST_NAMES: Final = 16
"""Plugins on one node whose sockets have the same first part of their name."""


class Waiting(Protocol):
    """A connection that waits until what answers it is loaded.

    What its peer has sent meanwhile stays in the kernel.
    """

    def __init__(self, door: "Door", address: Any) -> None:
        self._door = door
        self._address = address

    def connectionMade(self) -> None:
        """Wait."""
        assert self.transport is not None
        self.transport.pauseProducing()  # type: ignore[attr-defined]  # both kinds of sockets can
        self._door.waiting[self] = None

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """Wait no more."""
        self._door.waiting.pop(self, None)

    def go_on(self, factory: Factory) -> None:
        """Hand the connection over to what answers."""
        transport: Any = self.transport
        real = factory.buildProtocol(self._address)
        if real is None:
            transport.abortConnection()
        else:
            transport.protocol = real
            real.makeConnection(transport)
            transport.resumeProducing()

    def abort(self) -> None:
        """Close it."""
        transport: Any = self.transport
        transport.abortConnection()


class Door(Factory):
    """Lets connections in to what `load`, called in a thread at the first one, returns."""

    noisy = False

    def __init__(self, load: Callable[[], Any], worker: Worker) -> None:
        self._load = load
        self._worker = worker
        self._loading = False
        self._loaded: Any = None
        self.waiting: dict[Waiting, None] = {}
        """Connections that came before it was loaded."""

    def load(self) -> None:
        """Begin to load, unless that has begun."""
        if not self._loading:
            self._loading = True
            self._worker.call(self._load).addCallbacks(self._open, self._failed)

    def close(self) -> None:
        """Close all connections that came in."""
        for waiting in list(self.waiting):
            waiting.abort()
        if self._loaded is not None:
            self._loaded.abort()

    def _open(self, loaded: Any) -> None:
        self._loaded = loaded
        while self.waiting:
            self.waiting.popitem()[0].go_on(loaded)

    def _failed(self, failure: Failure) -> None:
        self._loading = False
        for waiting in list(self.waiting):
            waiting.abort()
        _log.failure("loading what answers over HTTP", failure)

    def buildProtocol(self, address: Any) -> Protocol | None:
        """Let a connection wait, or in."""
        if self._loaded is not None:
            protocol: Protocol | None = self._loaded.buildProtocol(address)
            return protocol
        self.load()
        return Waiting(self, address)


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
        self._file: SocketFile | None = None
        self._ports: list[IListeningPort] = []
        self._doors: list[Door] = []
        self._made: Answerer | None = None
        self.path: str | None = None
        """The unix socket that it listens on, None while there is none."""

    def startService(self) -> None:
        """Listen; what cannot be listened on is logged."""
        super().startService()
        if self._socket is not None:
            self._listen_unix(self._socket)
        for description in self._endpoints:
            self._listen(description)

    def stopService(self) -> Deferred[Any]:
        """Stop listening and end all connections; fires when nothing listens any more."""
        super().stopService()
        made, self._made = self._made, None
        file, self._file = self._file, None
        steps: list[Callable[[], object]] = [self._worker.stop]
        while self._doors:
            steps.append(self._doors.pop().close)
        if made is not None:
            steps.append(made.stop)
        if file is not None:
            steps.append(file.withdraw)
        stop_all("http", *steps)
        self.path = None
        ports, self._ports = self._ports, []
        return Deferred.fromCoroutine(_stop(ports, file))

    def _door(self, local: bool) -> Door:
        def load() -> Any:
            import twistdp.web.routes  # noqa: F401  # here, not in the reactor's thread
            from twistdp.web.site import Bounded

            return Bounded(self._answer, local=local, most=MOST_CONNECTIONS, hosts=self._hosts)

        door = Door(load, self._worker)
        self._doors.append(door)
        return door

    def _answer(self) -> "Answerer":
        """What answers; called in the reactor's thread."""
        if self._made is None:
            self._made = self._answerer()
        return self._made

    def _listen(self, description: str) -> None:
        from twisted.internet.endpoints import serverFromString

        door = self._door(local=description.startswith("unix:"))
        door.load()  # somebody will ask soon

        def listening(port: IListeningPort) -> None:
            if self.running:
                self._ports.append(port)
                _log.info("HTTP on {endpoint}", endpoint=description)
            else:
                port.stopListening()

        def failed(failure: Failure) -> None:
            _log.error(
                "cannot listen for HTTP on {endpoint}: {reason}; give another --http",
                endpoint=description,
                reason=failure.getErrorMessage(),
            )

        serverFromString(self._reactor, description).listen(door).addCallbacks(listening, failed)

    def _listen_unix(self, base: str) -> None:
        try:
            make_directory(os.path.dirname(base))
            file = _claimed(base)
            self._ports.append(self._reactor.listenUNIX(file.bound, self._door(True), mode=0o600))
            self._file = file
            file.publish()
            self.path = file.path
        except (OSError, TwistdpError, CannotListenError) as error:
            V(1).info("no socket for HTTP", path=base, err=error)


def _claimed(base: str) -> SocketFile:
    """The first free name; raises `SocketTaken` if there is none, `Untrusted`, and OSError."""
    for number in range(1, MOST_NAMES + 1):
        file = SocketFile(f"{base}.sock" if number == 1 else f"{base}-{number}.sock")
        try:
            file.claim()
        except SocketTaken:
            continue
        return file
    raise SocketTaken(f"{base}.sock", 0, f"{MOST_NAMES} plugins have such a socket")


async def _stop(ports: Sequence[IListeningPort], file: SocketFile | None) -> None:
    for port in ports:
        stopped: Any = port.stopListening()
        if stopped is not None:
            await stopped
    if file is not None:
        stop_all("http", file.release)
