"""``/metrics``, in the formats of Prometheus and OpenMetrics.

Imported at the first scrape: no plugin pays for it that nobody scrapes.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, chain, islice
from typing import Any, Final

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from twistdp.status import BOUNDS, Durations
from twistdp.web.answers import Answer
from twistdp.web.family import Family, Sample, View

PIECE: Final = 500
"""Lines of an answer, about, that are made in one turn of the reactor: a millisecond or two."""

_EDGES: Final = [*map(floatToGoString, BOUNDS), "+Inf"]
_END: Final = b"# EOF\n"


class Metrics:
    """Encodes the `families` of what `look` sees, and what concerns the process."""

    def __init__(self, families: Iterable[Family], look: Callable[[], View]) -> None:
        self._families = families
        self._look = look
        self._others: list[Any] = [ProcessCollector(registry=None), PlatformCollector(None)]

    def answer(self, accept: str) -> Answer:
        """The answer to a scrape that takes these formats."""
        try:
            encode, content_type = choose_encoder(accept)
        except TypeError:  # it compares a version like "1.0-rc" with numbers
            encode, content_type = choose_encoder("")
        return Answer(b"", content_type, pieces=self._pieces(encode, self._look()))

    def _pieces(self, encode: Callable[[Collector], bytes], view: View) -> Iterator[bytes]:
        made, lines, is_open = b"", 0, False
        for metric, is_first in self._metrics(view):
            data = encode(_One(metric))
            is_open = data.endswith(_END)
            data = data.removesuffix(_END)
            made += data if is_first else _without_head(data)
            lines += len(metric.samples)
            if lines >= PIECE:
                yield made
                made, lines = b"", 0
        yield made + _END if is_open else made

    def _metrics(self, view: View) -> Iterator[tuple[Metric, bool]]:
        """All metrics; large ones in several, of which the first is so marked."""
        for family in self._families:
            samples = iter(family.samples(view))
            yield _metric(family, islice(samples, self._most(family))), True
            while (more := _metric(family, islice(samples, self._most(family)))).samples:
                yield more, False
        for metric in chain.from_iterable(each.collect() for each in self._others):
            yield metric, True

    @staticmethod
    def _most(family: Family) -> int:
        return PIECE // (len(_EDGES) + 2) if family.kind == "histogram" else PIECE


class _One(Collector):
    """What an encoder takes: a collector, of one metric."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterable[Metric]:
        """It."""
        return [self._metric]


def _metric(family: Family, samples: Iterable[Sample]) -> Metric:
    metric = Metric(family.name.removesuffix("_total"), family.help, family.kind)
    for values, number in samples:
        labels = dict(zip(family.labels, map(_utf8, values), strict=True))
        if isinstance(number, Durations):
            _add(metric, labels, number)
        else:
            metric.add_sample(family.name, labels, number)
    return metric


def _add(metric: Metric, labels: dict[str, str], durations: Durations) -> None:
    """Add the samples of a histogram, whose buckets contain those before them."""
    count = 0
    for edge, count in zip(_EDGES, accumulate(durations.buckets), strict=True):
        metric.add_sample(f"{metric.name}_bucket", {**labels, "le": edge}, count)
    metric.add_sample(f"{metric.name}_count", labels, count)
    metric.add_sample(f"{metric.name}_sum", labels, durations.sum)


def _utf8(value: str) -> str:
    """A value as it is, unless it is a path that is no UTF-8, of which no format knows."""
    return value if value.isascii() else value.encode(errors="backslashreplace").decode()


def _without_head(data: bytes) -> bytes:
    """The lines of samples, without those before them that say what they are."""
    while data.startswith(b"# "):
        data = data.partition(b"\n")[2]
    return data
