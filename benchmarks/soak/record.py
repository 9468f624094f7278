"""The record of a soak."""

from collections import Counter, defaultdict

import attrs

Sample = dict[str, float]
"""One look at the process: seconds since the beginning, and the values of `sampling`."""


@attrs.define
class Record:
    """Counts of events, latencies in seconds with the time they were seen, samples, and problems.

    `pace` is that of `Bench`.  A problem is anything that must never happen; one is enough to fail.
    """

    pace: float = 1.0
    counts: Counter[str] = attrs.field(factory=Counter)
    latencies: dict[str, list[tuple[float, float]]] = attrs.field(factory=lambda: defaultdict(list))
    samples: list[Sample] = attrs.field(factory=list)
    problems: list[str] = attrs.field(factory=list)
    types: dict[str, dict[str, int]] = attrs.field(factory=dict)
    """Objects by type in the process, as first and last counted."""
