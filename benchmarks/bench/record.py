"""Keeps what was measured, and calculates from it."""

import math
import statistics
from collections.abc import Sequence

import attrs

NEVER = math.inf
"""The value of an event that does not happen."""


@attrs.define
class Figure:
    """A measured quantity: its unit, and each contender's values, one for each repetition.

    With `more` a higher value is better.
    """

    unit: str
    more: bool = False
    values: dict[str, list[float]] = attrs.field(factory=dict)

    def median(self, contender: str) -> float | None:
        """The contender's median; None if it was not measured."""
        values = self.values.get(contender)
        return statistics.median(values) if values else None

    def p99(self, contender: str) -> float | None:
        """The value that 99 of 100 do not exceed, or do not fall short of where more is better."""
        values = self.values.get(contender)
        if not values:
            return None
        return (
            -percentile([-value for value in values], 0.99)
            if self.more
            else percentile(values, 0.99)
        )

    def ratio(self, contender: str, base: str) -> float | None:
        """The median of the ratios of each repetition, which ignores what slows both down.

        It is the ratio of the medians if the numbers of repetitions differ, and None if that is no
        number.
        """
        ours, theirs = self.values.get(contender, []), self.values.get(base, [])
        if not ours or not theirs:
            return None
        if len(ours) != len(theirs):
            ours, theirs = [statistics.median(ours)], [statistics.median(theirs)]
        ratios = [
            one / two for one, two in zip(ours, theirs, strict=True) if two and math.isfinite(two)
        ]
        return statistics.median(ratios) if ratios else None


@attrs.define
class Record:
    """All figures by name, in the order in which they were measured."""

    figures: dict[str, Figure] = attrs.field(factory=dict)
    about: dict[str, str] = attrs.field(factory=dict)
    """Place and time of the measurement."""

    def add(
        self, what: str, unit: str, contender: str, value: float, *, more: bool = False
    ) -> None:
        """Add a value; `unit` and `more` of the first one count."""
        figure = self.figures.setdefault(what, Figure(unit, more))
        figure.values.setdefault(contender, []).append(value)


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that `part` of all, 0 to 1, do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]
