"""Draws a run: each contender beside ours."""

import math

from matplotlib.figure import Figure as Picture

from benchmarks.bench.contenders import OURS
from benchmarks.bench.goals import GOALS
from benchmarks.bench.record import Record


def plot(record: Record, path: str) -> None:
    """Draw into the file `path`, whose suffix selects the format (SVG, PNG).

    A point shows the ratio of a contender's figure to ours, which is the line at 1; an open diamond
    is the goal.  Better values are on the left.
    """
    figures = [
        (what, one, ours)
        for what, one in record.figures.items()
        if (ours := one.median(OURS)) and math.isfinite(ours)
    ]
    picture = Picture(figsize=(10, 2 + 0.25 * len(figures)))
    axes = picture.subplots()
    names = list(dict.fromkeys(name for _, one, _ in figures for name in one.values))
    for name in names:
        points = []
        for row, (_, one, ours) in enumerate(figures):
            value = one.median(name)
            if value and math.isfinite(value):
                points.append((ours / value if one.more else value / ours, row))
        axes.plot(*zip(*points, strict=True), "|" if name == OURS else "o", label=name)
    goals = []
    for row, (what, one, _) in enumerate(figures):
        goal = GOALS.get(what)
        value = goal.value(one) if goal else None
        if goal and value:
            goals.append((value / goal.bound if one.more else goal.bound / value, row))
    if goals:
        axes.plot(*zip(*goals, strict=True), "kD", fillstyle="none", markersize=4, label="goal")
    axes.set_xscale("log")
    axes.axvline(1, linewidth=0.5, color="black")
    axes.set_yticks(range(len(figures)), [what for what, _, _ in figures], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("times ours (better: left)")
    axes.legend(loc="best", fontsize=8)
    picture.tight_layout()
    picture.savefig(path)
