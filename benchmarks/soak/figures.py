"""Calculates from series of numbers."""

import statistics
from collections.abc import Sequence


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Growth of the second value per unit of the first, by least squares; 0 for too few points."""
    if len({x for x, _ in points}) < 2:
        return 0.0
    xs, ys = zip(*points, strict=True)
    return statistics.linear_regression(xs, ys).slope


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that `part` of all, 0 to 1, do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-part * len(ordered) // 1) - 1)]


def growth(values: Sequence[float]) -> float:
    """The difference of the medians of the last and the first fifth, which ignores spikes."""
    fifth = max(1, len(values) // 5)
    return statistics.median(values[-fifth:]) - statistics.median(values[:fifth])
