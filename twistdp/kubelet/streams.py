"""The ListAndWatch streams of one resource."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Final

from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.interfaces import IReactorTime

from twistdp.errors import NoRoom
from twistdp.klog import V
from twistdp.status import Kind, events_of
from twistdp.tools import Latest

MOST_STREAMS: Final = 64
"""Streams of one resource at a time; each may hold a list that its peer has not read yet."""

MOST_CALLERS: Final = 1000
"""Callers whose streams are expected; a kubelet opens its own some milliseconds after it asked."""


class _Generation:
    """The streams between one registration and the next."""

    def __init__(self) -> None:
        self.asked = False
        """Whether a kubelet has asked for the options."""
        self.kubelets: dict[object, str] = {}
        """The callers of the open streams that are taken for a kubelet's."""
        self.over = False
        """Whether one of them has ended."""
        self.count = 0
        self.emptied: Deferred[None] = Deferred()


class ListStreams:
    """Feeds any number of streams with the newest list; notices the end of the kubelet's.

    There can be several at once: an old kubelet's, a new one's, a person's.  Each registration
    begins a new generation, and `lost` is called when a kubelet's stream of the current one ends
    by itself.  A kubelet first asks for the options and then opens its stream, so the next stream
    of a caller that has `asked` is a kubelet's; if none has asked, the first stream is.  `name` is
    the resource's, for the log.
    """

    def __init__(
        self, value: bytes, clock: IReactorTime, lost: Callable[[], None], name: str = ""
    ) -> None:
        self._name = name
        self._events = events_of(clock)
        self._latest = Latest(value)
        self._clock = clock
        self._lost = lost
        self._current = _Generation()
        self._open = 0  # in any generation
        self._expected: Counter[str] = Counter()  # streams of each caller, in any generation

    @property
    def kubelets(self) -> int:
        """How many streams that a kubelet opened in this generation are open."""
        return len(self._current.kubelets)

    @property
    def kubelets_over(self) -> bool:
        """Whether one that a kubelet opened in this generation has ended."""
        return self._current.over

    @property
    def kubelets_missing(self) -> bool:
        """Whether no kubelet has a stream, or one has asked more often than it has opened streams.

        That one has dialled again, and its open stream may belong to an older connection.
        """
        callers = self._current.kubelets.values()
        return not callers or any(self._expected[caller] for caller in callers)

    def asked(self, caller: str) -> None:
        """`caller` has asked for the options, as a kubelet does before it opens its stream."""
        self._expected[caller] = self._expected.pop(caller, 0) + 1  # the last one now
        if len(self._expected) > MOST_CALLERS:
            del self._expected[next(iter(self._expected))]
        if not self._current.asked:
            self._current.asked = True
            # The others that opened streams before were no kubelets.
            kubelets = self._current.kubelets.items()
            self._current.kubelets = {s: of for s, of in kubelets if of == caller}
            self._current.over = False

    def settled(self) -> None:
        """No kubelet that has asked so far will still open a stream."""
        self._expected.clear()

    def publish(self, value: bytes) -> None:
        """Send another list to all streams; one that is not read gets the newest later."""
        self._latest.publish(value)

    async def follow(self, caller: str = "") -> AsyncIterator[bytes]:
        """One stream: the list now and after each change, until its generation ends.

        Raises `NoRoom` if there are too many.
        """
        if self._open >= MOST_STREAMS:
            raise NoRoom(
                f"{self._name}: {self._open} streams are open, and there is no room for more"
            )
        generation, stream = self._current, object()
        generation.count += 1
        self._open += 1
        if kubelets := self._is_kubelets(caller):
            generation.kubelets[stream] = caller
        V(4).info("stream opened", resource=self._name, kubelets=kubelets)
        self._events.emit(Kind.STREAM_OPENED, resource=self._name, kubelets=kubelets)
        sent = -1
        try:
            while generation is self._current:
                if sent < self._latest.version:
                    skipped = self._latest.version - sent - 1 if sent >= 0 else 0
                    sent, size = self._latest.version, len(self._latest.value)
                    V(4).info("list sent", resource=self._name, version=sent, bytes=size)
                    self._events.emit(
                        Kind.LIST_SENT, resource=self._name, size=size, skipped=skipped
                    )
                    yield self._latest.value
                elif self._latest.closed:
                    return
                else:
                    await self._latest.newer_than(sent)
        finally:
            kubelets = stream in generation.kubelets
            generation.count -= 1
            self._open -= 1
            if kubelets:
                del generation.kubelets[stream]
                generation.over = True
            V(4).info("stream ended", resource=self._name, kubelets=kubelets)
            self._events.emit(Kind.STREAM_ENDED, resource=self._name, kubelets=kubelets)
            if generation is not self._current or self._latest.closed:
                if generation.count == 0 and not generation.emptied.called:
                    generation.emptied.callback(None)
            elif kubelets:
                self._lost()

    def _is_kubelets(self, caller: str) -> bool:
        if self._expected[caller]:
            self._expected[caller] -= 1
            return True
        return not (self._current.asked or self._current.kubelets or self._current.over)

    def end_generation(self, patience: float) -> Deferred[None]:
        """End all streams; fires when they have ended, after `patience` seconds at the latest."""
        ending, self._current = self._current, _Generation()
        self._latest.wake()
        return self._gone(ending, patience)

    def finish(self, patience: float) -> Deferred[None]:
        """Let each stream send the newest list and end; there will be no more streams.

        Fires when they have ended, after `patience` seconds at the latest.
        """
        self._latest.close()
        return self._gone(self._current, patience)

    def _gone(self, generation: _Generation, patience: float) -> Deferred[None]:
        if generation.count == 0:
            return succeed(None)
        gone: Deferred[None] = Deferred()
        generation.emptied.addCallback(lambda _: None if gone.called else gone.callback(None))
        # A stream that its peer does not read cannot be ended politely.
        return gone.addTimeout(patience, self._clock).addErrback(
            lambda failure: failure.trap(TimeoutError) and None
        )
