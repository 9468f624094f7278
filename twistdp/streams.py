"""The ListAndWatch streams of one resource."""

from collections.abc import AsyncIterator, Callable

from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.interfaces import IReactorTime

from twistdp.klog import V
from twistdp.latest import Latest


class _Generation:
    """The streams between one registration and the next."""

    def __init__(self) -> None:
        self.opened = False
        self.kubelets_open = False
        self.count = 0
        self.emptied: Deferred[None] = Deferred()


class ListStreams:
    """Feeds any number of streams with the newest list; tells when the kubelet's has ended.

    There can be several at once: an old kubelet's, a new one's, a person's who looks.  Each
    registration begins a new generation; the first stream of a generation is the one that the
    kubelet opens after it has accepted, and `lost` is called when that one ends by itself.
    `name` is the resource's, for the log.
    """

    def __init__(
        self, value: bytes, clock: IReactorTime, lost: Callable[[], None], name: str = ""
    ) -> None:
        self._name = name
        self._latest = Latest(value)
        self._clock = clock
        self._lost = lost
        self._current = _Generation()

    @property
    def kubelets_open(self) -> bool:
        """Whether the stream that the kubelet opened in this generation is open."""
        return self._current.kubelets_open

    @property
    def kubelets_over(self) -> bool:
        """Whether it was opened in this generation and has ended."""
        return self._current.opened and not self._current.kubelets_open

    def publish(self, value: bytes) -> None:
        """Send another list to all streams; one that is not read gets the newest later."""
        self._latest.publish(value)

    async def follow(self) -> AsyncIterator[bytes]:
        """One stream: the list now, then after each change, until its generation ends."""
        generation = self._current
        kubelets, generation.opened = not generation.opened, True
        generation.kubelets_open |= kubelets
        generation.count += 1
        V(4).info("stream opened", resource=self._name, kubelets=kubelets)
        sent = -1
        try:
            while generation is self._current:
                if sent < self._latest.version:
                    sent = self._latest.version
                    V(4).info(
                        "list sent",
                        resource=self._name,
                        version=sent,
                        bytes=len(self._latest.value),
                    )
                    yield self._latest.value
                elif self._latest.closed:
                    return
                else:
                    await self._latest.newer_than(sent)
        finally:
            V(4).info("stream ended", resource=self._name, kubelets=kubelets)
            generation.count -= 1
            if kubelets:
                generation.kubelets_open = False
            if generation is not self._current or self._latest.closed:
                if generation.count == 0 and not generation.emptied.called:
                    generation.emptied.callback(None)
            elif kubelets:
                self._lost()

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
