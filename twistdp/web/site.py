"""Takes HTTP requests, refuses those that nobody should make, and hands the others on.

It only answers questions: nothing can be changed through it.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final, Protocol

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from twistdp.tools import Sparing
from twistdp.web.answers import Answer, Turns, text, write
from twistdp.web.channel import IDLE, Asked, Channel

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

_METHODS: Final = (b"GET", b"HEAD")

_HOST: Final = re.compile(r"(?:\[(?P<address>[^]@/]*)\]|(?P<name>[^][:@/]+))(?::\d*)?")
"""A Host header: an address of IPv6 in brackets or anything else, and a port or none."""


class Answerer(Protocol):
    """What knows the answers."""

    def answer(self, request: Request) -> Answer | Deferred[Answer] | None:
        """The answer to a request for a known or unknown path, now or later.

        None if it is written by other means.
        """

    def stop(self) -> None:
        """End everything that is under way."""


class _Root(Resource):
    isLeaf = True  # noqa: N815  # Twisted's name

    def __init__(
        self, answerer: Callable[[], Answerer], hosts: Collection[str], reactor: Any
    ) -> None:
        super().__init__()
        self._answerer = answerer
        self._hosts = hosts
        self._sparing = Sparing(reactor)
        # A probe does not wait for the pieces of others' answers.
        self._requests, self._turns = Turns(reactor), Turns(reactor)

    def render(self, request: Request) -> Any:
        """Answer in a turn of the reactor of its own: a peer may ask for a lot at once."""
        self._requests.add(partial(self._answer, request))
        return NOT_DONE_YET

    def _answer(self, request: Request) -> None:
        channel: Any = request.channel
        if channel is None:
            return  # the peer is gone
        for name, value in HEADERS.items():
            request.setHeader(name, value)
        try:
            answer = self._refusal(request) or self._answerer().answer(request)
        except Exception:
            answer = self._failed(Failure(), request)
        if isinstance(answer, Deferred):
            request.notifyFinish().addErrback(lambda _: answer.cancel())
            answer.addErrback(lambda failure: self._failed(failure, request))
            answer.addCallback(write, request, self._turns)
            answer.addErrback(lambda failure: failure.trap(CancelledError) and None)
        elif answer is not None:
            write(answer, request, self._turns)

    def _refusal(self, request: Request) -> Answer | None:
        if request.method not in _METHODS:
            return text("only GET and HEAD\n", 405, allow="GET, HEAD")
        hosts = request.requestHeaders.getRawHeaders("host", [])
        # A forwarded port leads browsers to a unix socket; no site's name is a word without a dot.
        is_local = isinstance(request.getHost(), UNIXAddress)
        if is_local and not any("." in host for host in hosts):
            return None
        if len(hosts) != 1 or not is_ours(hosts[0], self._hosts):
            return text(
                "this name is not known here: use an address, localhost, or a name that "
                "--http-host gives\n",
                421,
            )
        return None

    def _failed(self, failure: Failure, request: Request) -> Answer:
        if failure.check(CancelledError):
            failure.raiseException()  # the peer is gone
        if (often := self._sparing.count(str(failure.type))) is not None:
            _log.failure(
                "answering {method} {path}{often}",
                failure,
                method=request.method,
                path=request.path,
                often=often,
            )
        return text("this failed; the log has the reason\n", 500)


class Bounded(Site):
    """Answers with what `answerer` returns; at most `most` connections at a time.

    The Host header must be an address, this host's name, or one of `hosts`, and over a unix socket
    it may be any word: a page from elsewhere, whose name an attacker lets lead here, gets nothing.
    """

    requestFactory = Asked  # noqa: N815  # Twisted's name
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
        root = _Root(answerer, known, reactor)
        super().__init__(root, parsePOSTFormSubmission=False, timeout=IDLE, reactor=reactor)
        self.protocol: Any = Channel
        self._most = most
        self.connections: dict[Channel, None] = {}
        """Those that are open, with the one that has been idle for the longest time first.
        """

    def abort(self) -> None:
        """Close all connections."""
        for connection in list(self.connections):
            connection.forceAbortClient()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Let a connection in; if there are too many, an idle one is closed for it.

        So peers that only hold connections open keep nobody out, such as a probe.
        """
        if len(self.connections) >= self._most:
            idle = next((each for each in self.connections if not each.is_busy), None)
            if idle is None:
                return None
            del self.connections[idle]  # it ends in the next turn
            idle.forceAbortClient()
        return super().buildProtocol(addr)


def is_ours(host: str, known: Collection[str]) -> bool:
    """Whether a Host header is an address or one of the known names, with any port."""
    found = _HOST.fullmatch(host.strip().lower())
    if found is None:
        return False
    address, name = found["address"], found["name"]
    try:
        ipaddress.IPv4Address(name) if address is None else ipaddress.IPv6Address(address)
    except ValueError:
        return address is None and name.rstrip(".") in known
    return True
