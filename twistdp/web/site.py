"""Takes HTTP requests, refuses those that nobody should make, and hands the others on.

It only answers questions: nothing can be changed through it.  A request has no body, and a
connection that is idle, slow or one too many is closed.
"""

import ipaddress
import socket
from collections.abc import Callable, Collection
from typing import Any, Final, Protocol

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from twistdp.web.answers import Answer, Turns, text, write

_log = Logger()

HEADERS: Final = {
    "server": "twistdp",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""What every answer has."""

IDLE: Final = 30.0
"""Seconds without a byte after which a connection is closed."""

SLOWEST: Final = 90.0
"""Seconds in which a request must be asked, and its answer taken; an event stream is exempt."""

LONGEST_BODY: Final = 65_536
"""Bytes of a body, which nobody reads, after which the connection is closed."""

_METHODS: Final = (b"GET", b"HEAD")


class Answerer(Protocol):
    """What knows the answers."""

    def answer(self, request: Request) -> Answer | Deferred[Answer] | None:
        """The answer to a request for a known or unknown path, now or later.

        None if it is written by other means.
        """

    def stop(self) -> None:
        """End all that is under way."""


class _Channel(HTTPChannel):
    """One connection: closed when a request on it, or a pause between two, takes too long."""

    _deadline: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Begin to count."""
        super().connectionMade()
        self.factory.connections.add(self)
        self._count_again()

    def requestDone(self, request: Any) -> None:
        """A request was answered: the next has its own time."""
        self._count_again()
        super().requestDone(request)

    def endless(self) -> None:
        """Wait as long as the peer does: it follows a stream."""
        self.setTimeout(None)
        self._stop_counting()

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """Count no more."""
        self._stop_counting()
        self.factory.connections.discard(self)
        super().connectionLost(reason)

    def _count_again(self) -> None:
        self._stop_counting()
        self._deadline = self.callLater(SLOWEST, self.forceAbortClient)

    def _stop_counting(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None


class _Request(Request):
    """A request, whose body nobody reads."""

    _taken = 0

    def gotLength(self, length: int | None) -> None:
        """Keep no file for the body, however long it is."""
        super().gotLength(0)

    def handleContentChunk(self, data: bytes) -> None:
        """Drop a part of the body, and the connection when there is no end of it."""
        self._taken += len(data)
        if self._taken > LONGEST_BODY:
            self.channel.forceAbortClient()


class _Root(Resource):
    isLeaf = True  # noqa: N815  # Twisted's name

    def __init__(
        self, answerer: Callable[[], Answerer], hosts: Collection[str], turns: Turns
    ) -> None:
        super().__init__()
        self._answerer = answerer
        self._hosts = hosts
        self._turns = turns

    def render(self, request: Request) -> Any:
        """Answer."""
        for name, value in HEADERS.items():
            request.setHeader(name, value)
        try:
            answer = self._refusal(request) or self._answerer().answer(request)
        except Exception:
            answer = _failed(Failure(), request)
        if isinstance(answer, Deferred):
            request.notifyFinish().addErrback(lambda _: answer.cancel())
            answer.addErrback(lambda failure: _failed(failure, request))
            answer.addCallback(write, request, self._turns)
            answer.addErrback(lambda failure: failure.trap(CancelledError) and None)
        elif answer is not None:
            write(answer, request, self._turns)
        return NOT_DONE_YET

    def _refusal(self, request: Request) -> Answer | None:
        if request.method not in _METHODS:
            return text("only GET and HEAD\n", 405, allow="GET, HEAD")
        is_local = isinstance(request.getHost(), UNIXAddress)
        if not (is_local or is_ours(request.getHeader("host"), self._hosts)):
            return text(
                "this name is not known here: use an address, localhost, or a name that "
                "--http-host gives\n",
                421,
            )
        return None


def _failed(failure: Failure, request: Request) -> Answer:
    if failure.check(CancelledError):
        failure.raiseException()  # the peer is gone
    path = request.path
    _log.failure("answering {method} {path}", failure, method=request.method, path=path)
    return text("it failed; the log has the reason\n", 500)


class Bounded(Site):
    """Answers with what `answerer` returns; at most `most` connections at a time.

    Over TCP the Host header must be an address, this host's name, or one of `hosts`: a page from
    elsewhere, whose name an attacker lets lead here, gets nothing.
    """

    requestFactory = _Request  # noqa: N815  # Twisted's name
    noisy = False

    def __init__(
        self,
        answerer: Callable[[], Answerer],
        *,
        reactor: Any,
        most: int,
        hosts: Collection[str] = (),
    ) -> None:
        known = {"localhost", socket.gethostname().lower(), *hosts}
        root = _Root(answerer, known, Turns(reactor))
        super().__init__(root, parsePOSTFormSubmission=False, timeout=IDLE, reactor=reactor)
        self.protocol: Any = _Channel
        self._most = most
        self.connections: set[_Channel] = set()
        """Those that are open."""

    def abort(self) -> None:
        """Close all connections."""
        for connection in list(self.connections):
            connection.forceAbortClient()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Let a connection in, unless there are too many."""
        return None if len(self.connections) >= self._most else super().buildProtocol(addr)


def is_ours(host: str | None, known: Collection[str]) -> bool:
    """Whether a Host header is an address or one of the known names, with any port."""
    if not host:
        return False
    name = host.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.rstrip(".") in known
    return True
