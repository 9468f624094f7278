"""Counts what the operator does, for the metrics."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from twistdp.operator.asked import Asked
from twistdp.status import Durations

if TYPE_CHECKING:
    from twistdp.operator.service import Operator
    from twistdp.web.process import Family


class Tallies:
    """Numbers since the start."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, str]] = Counter()
        """Requests of the API server by verb, resource and HTTP status, or ``none``."""
        self.reconciles: Counter[str] = Counter()
        """Reconciles by their result."""
        self.durations = Durations()
        """The seconds that they took."""

    def seen(self, asked: Asked, status: int) -> None:
        """Count a request; `status` is 0 if there was no answer."""
        self.requests[asked.verb, asked.resource, str(status) if status else "none"] += 1

    def done(self, result: str, seconds: float) -> None:
        """Count a reconcile."""
        self.reconciles[result] += 1
        self.durations.add(seconds)


def families(operator: "Operator") -> "list[Family]":
    """Return the metrics of an operator."""
    from twistdp.web.process import Family

    tallies, reconciler = operator.tallies, operator.reconciler

    def requests(_: Any) -> Iterator[tuple[tuple[str, ...], int]]:
        yield from tallies.requests.items()

    def reconciles(_: Any) -> Iterator[tuple[tuple[str, ...], int]]:
        for result, number in tallies.reconciles.items():
            yield (result,), number

    return [
        Family(
            "twistdp_operator_api_requests_total",
            "counter",
            "Requests of the API server; a watch is counted when it begins.",
            ("verb", "resource", "code"),
            requests,
        ),
        Family(
            "twistdp_operator_reconciles_total",
            "counter",
            "Times that a DevicePlugin was reconciled.",
            ("result",),
            reconciles,
        ),
        Family(
            "twistdp_operator_reconcile_duration_seconds",
            "histogram",
            "How long that took.",
            (),
            lambda _: [((), tallies.durations)],
        ),
        Family(
            "twistdp_operator_queue_length",
            "gauge",
            "DevicePlugins that wait to be reconciled.",
            (),
            lambda _: [((), len(reconciler.queue))],
        ),
        Family(
            "twistdp_operator_device_plugins",
            "gauge",
            "DevicePlugins that there are.",
            (),
            lambda _: [((), len(reconciler.cache.plugins))],
        ),
        Family(
            "twistdp_operator_leader",
            "gauge",
            "Whether this operator reconciles: 1 for the leader, or without election, 0 otherwise.",
            (),
            lambda _: [((), int(operator.leads))],
        ),
    ]
