"""Answers to HTTP requests, as values, and how they are written to a slow peer."""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import attrs
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted.web.server import Request

_log = Logger()

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"

CHUNK: Final = 65_536
"""Bytes of an answer that wait for a peer; larger ones are written piece by piece."""

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


@attrs.frozen
class Answer:
    """One whole answer."""

    body: bytes
    content_type: str = TEXT
    status: int = 200
    headers: Mapping[str, str] = _NO_HEADERS
    pieces: Iterator[bytes] | None = None
    """The body, where it is too large to be made at once.  Each piece is made in a turn of the
    reactor of its own, when the peer has read the one before it."""


def text(content: str, status: int = 200, **headers: str) -> Answer:
    """An answer that people read."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    # A path that is no UTF-8 may be in it.
    return Answer(content.encode(errors="backslashreplace"), TEXT, status, named)


def as_json(content: Any) -> Answer:
    """An answer that programs read."""
    return Answer(json.dumps(content).encode(), JSON)


class Turns:
    """Makes steps of answers, one in each turn of the reactor, however many answers there are."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._ready: deque[Callable[[], None]] = deque()
        self._is_due = False

    def add(self, step: Callable[[], None]) -> None:
        """Make a step, after the others that wait for their turn."""
        self._ready.append(step)
        self._go_on()

    def _go_on(self) -> None:
        if self._ready and not self._is_due:
            self._is_due = True
            self._reactor.callLater(0, self._run)

    def _run(self) -> None:
        self._is_due = False
        step = self._ready.popleft()
        self._go_on()
        step()


@implementer(IPushProducer)
class Sending:
    """One large answer, on its way; what has not been sent yet is not made yet."""

    def __init__(self, pieces: Iterator[bytes], request: "Request", turns: Turns) -> None:
        self._pieces = pieces
        self._request = request
        self._turns = turns
        self._paused = False
        self._over = False
        self._is_due = False
        request.notifyFinish().addErrback(lambda _: self.stopProducing())
        request.registerProducer(self, True)
        self.resumeProducing()

    def go_on(self) -> None:
        """Send one piece, if the peer is there and reads."""
        self._is_due = False
        if self._paused or self._over:
            return
        try:
            piece = next(self._pieces, None)
        except Exception:
            _log.failure("making the rest of an answer")
            self._request.channel.forceAbortClient()  # half of it must not look like all of it
            return
        if piece is None:
            self._over = True
            self._request.unregisterProducer()
            self._request.finish()
            return
        self._request.write(piece)
        if not self._paused:
            self.resumeProducing()

    def pauseProducing(self) -> None:
        """The peer does not read."""
        self._paused = True

    def resumeProducing(self) -> None:
        """It reads."""
        self._paused = False
        if not self._is_due:
            self._is_due = True
            self._turns.add(self.go_on)

    def stopProducing(self) -> None:
        """It is gone."""
        self._over = True
        self._pieces = iter(())


def write(answer: Answer, request: "Request", turns: Turns) -> None:
    """Write an answer to Twisted's `request`, and finish that.

    However large it is, and however slowly it is read, little more than a piece waits for the peer.
    """
    body, pieces = answer.body, answer.pieces
    request.setResponseCode(answer.status, HTTPStatus(answer.status).phrase.encode())
    request.setHeader("content-type", answer.content_type)
    if pieces is None:
        request.setHeader("content-length", str(len(body)))
    for name, value in answer.headers.items():
        request.setHeader(name, value)
    if request.method == b"HEAD":
        request.finish()
    elif pieces is not None:
        Sending(pieces, request, turns)
    elif len(body) <= CHUNK:
        request.write(body)
        request.finish()
    else:
        Sending(_cut(body), request, turns)


def _cut(body: bytes) -> Iterator[bytes]:
    return (body[start : start + CHUNK] for start in range(0, len(body), CHUNK))
