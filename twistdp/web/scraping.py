"""Answers scrapes of ``/metrics``."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import attrs
from twisted.internet.defer import Deferred, succeed

from twistdp.status import Tallies
from twistdp.tools import Worker
from twistdp.web.answers import Answer
from twistdp.web.families import FAMILIES, PODS
from twistdp.web.family import View
from twistdp.web.state import Observatory

if TYPE_CHECKING:
    from twistdp.web.metrics import Metrics


AGAIN: Final = 0.1
"""Seconds for which the same short answer is sent again while nothing has happened."""


class Asked(NamedTuple):
    """One question for the metrics."""

    accept: str
    time: float
    """The time in seconds of the reactor's clock."""
    number: int
    """The newest event at that time."""


class Scraper:
    """Answers with the state of the `observatory` and the numbers of the `tallies`.

    With `pods` the containers that have devices are named.  The code that writes the formats is
    loaded in a thread at the first scrape, as that takes some 30 ms.  An answer takes the reactor
    2 ms, so greedy clients get the same one again, see `AGAIN`.
    """

    def __init__(
        self, observatory: Observatory, tallies: Tallies, reactor: Any, *, pods: bool = False
    ) -> None:
        self._observatory = observatory
        self._tallies = tallies
        self._pods = pods
        self._worker = Worker("metrics", reactor)
        self._metrics: Metrics | None = None
        self._unfollow: Callable[[], None] | None = None
        self._reactor = reactor
        self._last: tuple[Asked, Answer] | None = None

    def scrape(self, accept: str) -> Deferred[Answer]:
        """The answer to a scrape that takes these formats."""
        if self._metrics is not None:
            return succeed(self._answer(self._metrics, accept))
        return self._worker.call(_loaded).addCallback(self._first, accept)

    def stop(self) -> None:
        """Stop following who holds devices."""
        self._worker.stop()
        if self._unfollow is not None:
            self._unfollow()
            self._unfollow = None

    def view(self) -> View:
        """What there is to be shown now."""
        held = self._observatory.holdings.held if self._pods else None
        return View(self._observatory.state(devices=False), self._tallies, held)

    def _first(self, kind: "type[Metrics]", accept: str) -> Answer:
        if self._metrics is None:
            self._metrics = kind((*FAMILIES, PODS) if self._pods else FAMILIES, self.view)
            # A scrape reports how many devices are in use, so those given back must be noticed.
            self._unfollow = self._observatory.holdings.follow(releases=True)
        return self._answer(self._metrics, accept)

    def _answer(self, metrics: "Metrics", accept: str) -> Answer:
        asked = Asked(accept, self._reactor.seconds(), self._observatory.events.number)
        if self._last is not None:
            before, answer = self._last
            if before._replace(time=asked.time) == asked and asked.time - before.time < AGAIN:
                return answer
        answer = metrics.answer(accept)
        return attrs.evolve(answer, pieces=self._kept(asked, answer))

    def _kept(self, asked: Asked, answer: Answer) -> Iterator[bytes]:
        """Pass on the pieces of `answer`, and keep it if it has only one."""
        piece, count = b"", 0
        for piece in answer.pieces or ():
            count += 1
            yield piece
        if count == 1:
            self._last = asked, attrs.evolve(answer, body=piece, pieces=None)


def _loaded() -> "type[Metrics]":
    from twistdp.web.metrics import Metrics

    return Metrics
