"""Judges whether a soak has passed."""

from collections.abc import Sequence

from benchmarks.soak.figures import growth, slope
from benchmarks.soak.record import Record, Sample

WARM_UP = 0.2, 600.0
"""The warm-up, which does not count: this part of the time, and at most so many seconds.  The
fragmentation of each thread's part of the heap takes a while to settle."""

RSS_A_HOUR = 4.0
"""Megabytes by which the memory may appear to grow in an hour."""

RSS_NOISE = 4.0
"""Megabytes of fragmentation, however short the run; see also the memory in use, below."""

GROWTH = {
    "descriptors": 4.0,
    "threads": 2.0,
    "timers": 6.0,
    "tasks": 10.0,
    "specs": 15.0,
    "malloc": 1.0,
    "blocks": 10.0,
}
"""By how much the typical number may be more in the last fifth than in the first one: kilobytes of
`specs` (times the pace), megabytes in use of the C library's heap, thousands of blocks in use of
Python's."""


def counted(samples: Sequence[Sample]) -> Sequence[Sample]:
    """The samples after warm-up."""
    if not samples:
        return samples
    first, last = samples[0]["time"], samples[-1]["time"]
    begin = first + min(WARM_UP[0] * (last - first), WARM_UP[1])
    return [sample for sample in samples if sample["time"] >= begin]


def series(samples: Sequence[Sample], name: str) -> list[tuple[float, float]]:
    """One value over the hours; samples that lack it are left out."""
    return [(sample["time"] / 3600, sample[name]) for sample in samples if name in sample]


def judge(record: Record) -> list[str]:
    """The problems, one line each; none if the soak has passed."""
    samples = counted(record.samples)
    complaints = list(record.problems)
    rss = series(samples, "rss")
    if len(rss) < 10:
        return [*complaints, f"only {len(rss)} samples: nothing can be said of memory"]
    hours, an_hour = rss[-1][0] - rss[0][0], slope(rss)
    bound = max(RSS_A_HOUR, RSS_NOISE / hours)
    if an_hour > bound:
        complaints.append(f"memory grows by {an_hour:.1f} MB an hour (bound {bound:.1f})")
    for name, most in GROWTH.items():
        values = [value for _, value in series(samples, name)]
        if not values:
            complaints.append(f"{name}: no samples")
        elif (more := growth(values)) > (most * record.pace if name == "specs" else most):
            complaints.append(f"{name} grow by {more:g} (bound {most:g})")
    return complaints
