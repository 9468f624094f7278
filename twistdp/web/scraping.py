"""Answers scrapes of ``/metrics``."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed

from twistdp.status import Tallies
from twistdp.tools import Worker
from twistdp.web.answers import Answer
from twistdp.web.families import FAMILIES, PODS
from twistdp.web.family import View
from twistdp.web.state import Observatory

if TYPE_CHECKING:
    from twistdp.web.metrics import Metrics


class Scraper:
    """Answers with what `observatory` sees, and `tallies` have counted.

    With `pods` the containers that have devices are named.  What writes the formats is loaded in
    a thread at the first scrape, as that takes some 30 ms.
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

    def scrape(self, accept: str) -> Deferred[Answer]:
        """The answer to a scrape that takes these formats."""
        if self._metrics is not None:
            return succeed(self._metrics.answer(accept))
        return self._worker.call(_loaded).addCallback(self._first, accept)

    def stop(self) -> None:
        """Let nobody be asked for it any more."""
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
        return self._metrics.answer(accept)


def _loaded() -> "type[Metrics]":
    from twistdp.web.metrics import Metrics

    return Metrics
