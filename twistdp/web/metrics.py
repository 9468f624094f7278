"""``/metrics``, in the formats of Prometheus and OpenMetrics.

Imported at the first scrape: no plugin pays for it that nobody scrapes.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString

from twistdp.status import BOUNDS, Durations
from twistdp.web.answers import Answer
from twistdp.web.families import Family, View

_EDGES: Final = [*map(floatToGoString, BOUNDS), "+Inf"]


class Metrics(Collector):
    """Encodes the `families` of what `look` sees."""

    def __init__(self, families: Iterable[Family], look: Callable[[], View]) -> None:
        self._families = families
        self._look = look
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def answer(self, accept: str) -> Answer:
        """The answer to a scrape that takes these formats."""
        encode, content_type = choose_encoder(accept)
        return Answer(encode(self._registry), content_type)

    def describe(self) -> list[Metric]:
        """Nothing: who registers here is known."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Each family with its samples now."""
        view = self._look()
        for family in self._families:
            metric = Metric(family.name.removesuffix("_total"), family.help, family.kind)
            for values, number in family.samples(view):
                labels = dict(zip(family.labels, values, strict=True))
                if isinstance(number, Durations):
                    _add(metric, labels, number)
                else:
                    metric.add_sample(family.name, labels, number)
            yield metric


def _add(metric: Metric, labels: dict[str, str], durations: Durations) -> None:
    """Add the samples of a histogram, whose buckets contain those before them."""
    count = 0
    for edge, count in zip(_EDGES, accumulate(durations.buckets), strict=True):
        metric.add_sample(f"{metric.name}_bucket", {**labels, "le": edge}, count)
    metric.add_sample(f"{metric.name}_count", labels, count)
    metric.add_sample(f"{metric.name}_sum", labels, durations.sum)
