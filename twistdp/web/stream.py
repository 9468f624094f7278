"""Server-sent events: what happens, for those who follow it live.

See https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.web.server import Request
from zope.interface import implementer

from twistdp.status import Event, Events
from twistdp.web.answers import Answer, text
from twistdp.web.plain import camel, plain

MOST_STREAMS: Final = 64
"""Streams at a time."""

MOST_WAITING: Final = 1_000_000
"""Bytes that wait for one slow peer; after that its stream ends, and it may resume."""

PULSE: Final = 15.0
"""Seconds between comments, by which both sides notice that the other is gone."""

GATHER: Final = 0.02
"""Seconds until an event is sent, with those that come meanwhile: what it is about comes first."""

MOST_GATHERED: Final = 65_536
"""Bytes of events after which they are sent at once."""

MOST_PULSES: Final = 4
"""Pulses that a peer has not read after which its stream ends."""


def encoded(event: Event) -> bytes:
    """An event in the stream's format."""
    facts = _facts(event.brief().facts)
    data = {"time": event.time, "kind": event.kind.value, **facts}
    return f"id: {event.number}\nevent: {event.kind.value}\ndata: {json.dumps(data)}\n\n".encode()


def _facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {camel(name): plain(value) for name, value in facts.items()}


@implementer(IPushProducer)
class _Stream:
    """One peer, which gets the events that it has `missed` as it reads, and then what is sent."""

    def __init__(
        self, request: Request, missed: Iterable[Event], ended: Callable[["_Stream"], None]
    ) -> None:
        self._request = request
        self._missed = deque(missed)
        self._ended = ended
        self._over = False
        self._paused = False
        self._waiting: list[bytes] = []
        self._size = 0
        self._unread = 0
        request.registerProducer(self, True)
        request.notifyFinish().addBoth(lambda _: self._ended(self))

    def send(self, data: bytes) -> None:
        """Write, or keep until the peer reads; a peer that is too slow loses its stream."""
        if self._over:
            return
        if not self._paused:
            self._request.write(data)
            return
        self._waiting.append(data)
        self._size += len(data)
        if self._size > MOST_WAITING:
            self.stop()

    def beat(self) -> None:
        """Show the peer that the stream is alive; end it if the peer has not read for long."""
        if self._over:
            return
        if not self._paused:
            self._request.write(b": still here\n\n")
            return
        self._unread += 1
        if self._unread >= MOST_PULSES:
            self.stop()

    def stop(self) -> None:
        """End the stream."""
        if not self._over:
            self._over = True
            self._request.channel.forceAbortClient()

    def pauseProducing(self) -> None:
        """The peer does not read."""
        self._paused = True

    def resumeProducing(self) -> None:
        """It reads again."""
        self._paused = False
        self._unread = 0
        self.go_on()

    def go_on(self) -> None:
        """Write what the peer has missed, and then what waits for it, as long as it reads."""
        while self._missed and not self._paused:
            self._request.write(encoded(self._missed.popleft()))
        waiting, self._waiting, self._size = self._waiting, [], 0
        for number, data in enumerate(waiting):
            if self._paused:
                self._waiting = waiting[number:]
                self._size = sum(map(len, self._waiting))
                break
            self._request.write(data)

    def stopProducing(self) -> None:
        """It is gone."""
        self._over = True


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
        self._ends: list[Callable[[], None]] = []
        """Functions that end the following of events; empty while nobody follows."""
        self._pulse: IDelayedCall | None = None
        self._gathered: list[bytes] = []
        self._size = 0
        self._due: IDelayedCall | None = None

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
            request.finish()
            return None
        channel: Any = request.channel
        channel.endless()
        self._flush()  # those are past, for this one
        missed = [] if seen is None else [e for e in self._events.kept if e.number > seen]
        stream = _Stream(request, missed, self._end)
        self._open[stream] = None
        if not self._ends:
            self._ends = [self._events.follow(self._send), self._watch()]
            self._pulse = self._reactor.callLater(PULSE, self._beat)
        stream.send(b"retry: 1000\n\n")
        stream.go_on()
        return None

    def stop(self) -> None:
        """End all streams."""
        for stream in list(self._open):
            stream.stop()
            self._end(stream)

    def _send(self, event: Event) -> None:
        data = encoded(event)
        self._gathered.append(data)
        self._size += len(data)
        if self._size > MOST_GATHERED:
            self._flush()
        elif self._due is None:
            self._due = self._reactor.callLater(GATHER, self._flush)

    def _flush(self) -> None:
        if self._due is not None and self._due.active():
            self._due.cancel()
        self._due = None
        data = b"".join(self._gathered)
        self._gathered, self._size = [], 0
        if data:
            for stream in list(self._open):
                stream.send(data)

    def _beat(self) -> None:
        self._pulse = self._reactor.callLater(PULSE, self._beat)
        for stream in list(self._open):
            stream.beat()

    def _end(self, stream: _Stream) -> None:
        self._open.pop(stream, None)
        if not self._open and self._ends:
            while self._ends:
                self._ends.pop()()
            if self._pulse is not None:
                self._pulse.cancel()
                self._pulse = None
            self._flush()  # to nobody


def _number(header: str | None) -> int | None:
    """The last event that a peer has seen; None if it names none."""
    if header is None or not header.isascii() or not header.isdigit() or len(header) > 18:
        return None
    return int(header)
