"""Server-sent events: what happens, for those who follow it live.

See https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.web.server import Request
from zope.interface import implementer

from twistdp.status import Event, Events
from twistdp.web.answers import Answer, text
from twistdp.web.state import camel, plain

MOST_STREAMS: Final = 64
"""Streams at a time."""

MOST_WAITING: Final = 1000
"""Events that wait for one slow peer; after that its stream ends, and it may resume."""

PULSE: Final = 15.0
"""Seconds between comments, by which both sides notice that the other is gone."""


def encoded(event: Event) -> bytes:
    """An event in the stream's format."""
    data = {"time": event.time, "kind": event.kind.value, **_facts(event.facts)}
    return f"id: {event.number}\nevent: {event.kind.value}\ndata: {json.dumps(data)}\n\n".encode()


def _facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {camel(name): plain(value) for name, value in facts.items()}


@implementer(IPushProducer)
class _Stream:
    """One peer."""

    def __init__(self, request: Request, ended: Callable[["_Stream"], None]) -> None:
        self._request = request
        self._ended = ended
        self._paused = False
        self._waiting: list[bytes] = []
        request.registerProducer(self, True)
        request.notifyFinish().addBoth(lambda _: self._ended(self))

    def send(self, data: bytes) -> None:
        """Write, or keep until the peer reads; a peer that is too slow loses its stream."""
        if not self._paused:
            self._request.write(data)
        elif len(self._waiting) < MOST_WAITING:
            self._waiting.append(data)
        else:
            self.stop()

    def stop(self) -> None:
        """End the stream."""
        self._request.channel.forceAbortClient()

    def pauseProducing(self) -> None:
        """The peer does not read."""
        self._paused = True

    def resumeProducing(self) -> None:
        """It reads again."""
        self._paused = False
        waiting, self._waiting = self._waiting, []
        for number, data in enumerate(waiting):
            if self._paused:
                self._waiting = waiting[number:]
                break
            self._request.write(data)

    def stopProducing(self) -> None:
        """It is gone."""


class Streams:
    """All streams of `events`.

    `watch` is called when somebody begins to follow, and what it returns when nobody does any more.
    """

    def __init__(
        self, events: Events, reactor: Any, watch: Callable[[], Callable[[], None]]
    ) -> None:
        self._events = events
        self._watch = watch
        self._reactor = reactor
        self._open: dict[_Stream, None] = {}
        self._unfollow: Callable[[], None] | None = None
        self._pulse: IDelayedCall | None = None

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def begin(self, request: Request, after: str | None = None) -> Answer | None:
        """Begin to send events to a peer: first those that it has missed and that are kept.

        It has seen those up to the one that its Last-Event-ID names, or else `after`.
        """
        if len(self._open) >= MOST_STREAMS:
            return text("too many follow; come back later\n", 429, retry_after="10")
        seen = _number(request.getHeader("last-event-id") or after)
        request.setHeader("content-type", "text/event-stream; charset=utf-8")
        request.setHeader("x-accel-buffering", "no")
        if request.method == b"HEAD":
            request.write(b"")
            request.finish()
            return None
        channel: Any = request.channel
        channel.endless()
        stream = _Stream(request, self._end)
        self._open[stream] = None
        if self._unfollow is None:
            self._unfollow = self._events.follow(self._send)
            self._unwatch = self._watch()
            self._pulse = self._reactor.callLater(PULSE, self._beat)
        missed = [] if seen is None else [e for e in self._events.kept if e.number > seen]
        stream.send(b"retry: 1000\n\n" + b"".join(map(encoded, missed)))
        return None

    def stop(self) -> None:
        """End all streams."""
        for stream in list(self._open):
            stream.stop()
            self._end(stream)

    def _send(self, event: Event) -> None:
        data = encoded(event)
        for stream in list(self._open):
            stream.send(data)

    def _beat(self) -> None:
        self._pulse = self._reactor.callLater(PULSE, self._beat)
        for stream in list(self._open):
            stream.send(b": still here\n\n")

    def _end(self, stream: _Stream) -> None:
        self._open.pop(stream, None)
        if not self._open and self._unfollow is not None:
            self._unfollow()
            self._unfollow = None
            self._unwatch()
            if self._pulse is not None:
                self._pulse.cancel()
                self._pulse = None


def _number(header: str | None) -> int | None:
    """The last event that a peer has seen; None if it names none."""
    if header is None or not header.isascii() or not header.isdigit() or len(header) > 18:
        return None
    return int(header)
