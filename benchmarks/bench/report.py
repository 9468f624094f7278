"""Writes a run as a table for a terminal, as markdown and as JSON."""

import json
import math
from collections.abc import Iterator

import attrs

from benchmarks.bench.contenders import AIO, OURS, PLAIN
from benchmarks.bench.goals import GOALS
from benchmarks.bench.record import Figure, Record

NONE = "-"


def rows(record: Record) -> Iterator[list[str]]:
    """The head, then a row for each figure: medians, our p99, ratios, the goal and its result."""
    names = list(dict.fromkeys(name for one in record.figures.values() for name in one.values))
    others = [name for name in names if name != OURS]
    bases = [name for name in others if name in (PLAIN, AIO) or name.startswith("base ")]
    yield [
        *("", "unit", OURS, "p99", *others, *(f"÷ {name}" for name in bases)),
        *("goal", "met"),
    ]
    for what, figure in record.figures.items():
        goal = GOALS.get(what)
        met = goal.is_met(figure) if goal else None
        yield [
            *(what, figure.unit, number(figure.median(OURS)), number(_p99(figure))),
            *(number(figure.median(name)) for name in others),
            *(_ratio(figure, name) for name in bases),
            goal.shown(figure) if goal else "",
            "" if met is None else "yes" if met else "NO",
        ]


def table(record: Record) -> str:
    """The table for a terminal."""
    lines = [list(row) for row in rows(record)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    texts = []
    for line in lines:
        cells = [line[0].ljust(widths[0]), line[1].ljust(widths[1])]
        cells += [cell.rjust(width) for cell, width in zip(line[2:], widths[2:], strict=True)]
        texts.append("  ".join(cells).rstrip())
    return "\n".join([*_about(record), "", *texts, "", _score(record)])


def markdown(record: Record) -> str:
    """The table as markdown."""
    head, *lines = rows(record)
    texts = [f"| {' | '.join(head)} |", "|---|---|" + "---:|" * (len(head) - 2)]
    texts += [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([*texts, "", _score(record), "", *_about(record), ""])


def to_json(record: Record) -> str:
    """All values and the calculated ones; null stands for never."""
    figures = {
        what: {
            "unit": figure.unit,
            "better": "more" if figure.more else "less",
            "contenders": {
                name: {
                    "median": _finite(figure.median(name)),
                    "p99": _finite(figure.p99(name)),
                    "ratio": _finite(figure.ratio(OURS, name)),
                    "values": [_finite(value) for value in values],
                }
                for name, values in figure.values.items()
            },
            "goal": attrs.asdict(GOALS[what]) if what in GOALS else None,
            "met": GOALS[what].is_met(figure) if what in GOALS else None,
        }
        for what, figure in record.figures.items()
    }
    return json.dumps({"about": record.about, "figures": figures}, indent=1, allow_nan=False)


def number(value: float | None) -> str:
    """A number with three significant digits, or all digits before the point."""
    if value is None:
        return NONE
    if math.isinf(value):
        return "never"
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def _p99(figure: Figure) -> float | None:
    """None for a single value, which has no spread."""
    return figure.p99(OURS) if len(figure.values.get(OURS, [])) > 1 else None


def _ratio(figure: Figure, name: str) -> str:
    ratio = figure.ratio(OURS, name)
    return NONE if ratio is None or math.isinf(ratio) else f"{ratio:.2f}"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _about(record: Record) -> list[str]:
    return [f"{name}: {value}" for name, value in record.about.items()]


def _score(record: Record) -> str:
    verdicts = [
        goal.is_met(record.figures[what]) if what in record.figures else None
        for what, goal in GOALS.items()
    ]
    judged = [one for one in verdicts if one is not None]
    return f"{sum(judged)} of {len(judged)} goals met, {len(verdicts) - len(judged)} not measured"
