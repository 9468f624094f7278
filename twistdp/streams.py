"""The ListAndWatch streams of one resource."""

from collections.abc import AsyncIterator, Callable

from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.interfaces import IReactorTime

from twistdp.latest import Latest


class ListStreams:
    """Feeds any number of streams with the newest list; tells when the kubelet's has ended.

    There can be several at once: an old kubelet's, a new one's, a person's who looks.  Each
    registration begins a new generation; the first stream of a generation is the one that the
    kubelet opens after it has accepted, and `lost` is called when that one ends by itself.
    """

    def __init__(self, value: bytes, clock: IReactorTime, lost: Callable[[], None]) -> None:
        self._latest = Latest(value)
        self._clock = clock
        self._lost = lost
        self._generation = 0
        self._opened = False
        self._count = 0
        self._emptied: Deferred[None] | None = None
        self.kubelets_open = False
        """Whether the stream that the kubelet opened in this generation is open."""

    def publish(self, value: bytes) -> None:
        """Send another list to all streams; one that is not read gets the newest later."""
        self._latest.publish(value)

    async def follow(self) -> AsyncIterator[bytes]:
        """One stream: the list now, then after each change, until its generation ends."""
        generation = self._generation
        kubelets = not self._opened
        self._opened = True
        if kubelets:
            self.kubelets_open = True
        self._count += 1
        sent = -1
        try:
            while generation == self._generation:
                if sent < self._latest.version:
                    sent = self._latest.version
                    yield self._latest.value
                elif self._latest.closed:
                    return
                else:
                    await self._latest.newer_than(sent)
        finally:
            self._count -= 1
            if self._count == 0 and self._emptied is not None:
                emptied, self._emptied = self._emptied, None
                emptied.callback(None)
            if kubelets and generation == self._generation:
                self.kubelets_open = False
                if not self._latest.closed:
                    self._lost()

    def end_generation(self, patience: float) -> Deferred[None]:
        """End all streams; fires when they have ended, after `patience` seconds at the latest."""
        self._generation += 1
        self._opened = self.kubelets_open = False
        self._latest.wake()
        return self._gone(patience)

    def finish(self, patience: float) -> Deferred[None]:
        """Let each stream send the newest list and end; there will be no more streams.

        Fires when they have ended, after `patience` seconds at the latest.
        """
        self._latest.close()
        return self._gone(patience)

    def _gone(self, patience: float) -> Deferred[None]:
        if self._count == 0:
            return succeed(None)
        if self._emptied is None:
            self._emptied = Deferred()
        gone: Deferred[None] = Deferred()
        self._emptied.addCallback(lambda _: None if gone.called else gone.callback(None))
        return gone.addTimeout(patience, self._clock).addErrback(
            # A stream that its peer does not read cannot be ended politely.
            lambda failure: failure.trap(TimeoutError) and None
        )
