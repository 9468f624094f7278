"""Writes the results of a soak as a table and as JSON."""

import json
import statistics
from collections.abc import Iterator
from typing import Any

import attrs

from benchmarks.soak.figures import percentile, slope
from benchmarks.soak.record import Record
from benchmarks.soak.verdict import counted, judge, series

GAUGES = (
    "descriptors",
    "threads",
    "timers",
    "tasks",
    "objects",
    "blocks",
    "malloc",
    "specs",
    "cpu",
)


def summary(record: Record) -> dict[str, Any]:
    """All figures: milliseconds, megabytes, megabytes an hour, kilobytes of specs,
    percent of one core, thousand blocks of Python's memory."""
    samples = counted(record.samples)
    rss = [value for _, value in series(samples, "rss")]
    return {
        "seconds": record.samples[-1]["time"] if record.samples else 0.0,
        "counts": dict(sorted(record.counts.items())),
        "latencies": {
            name: _latency([seconds for _, seconds in values])
            for name, values in sorted(record.latencies.items())
        },
        "rss": {
            "begin": statistics.median(rss[:30]),
            "end": statistics.median(rss[-30:]),
            "max": max(rss),
            "slope": slope(series(samples, "rss")),
        }
        if rss
        else {},
        "gauges": {
            name: {"min": min(values), "median": statistics.median(values), "max": max(values)}
            for name in GAUGES
            if (values := [value for _, value in series(samples, name)])
        },
        "inside": {name: slope(series(samples, name)) for name in ("malloc", "blocks") if samples},
        "objects": _more(record),
        "complaints": judge(record),
    }


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    return "\n".join(_lines(figures))


def save(record: Record, figures: dict[str, Any], path: str) -> None:
    """Write all results as JSON."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"summary": figures, "record": attrs.asdict(record)}, file)
        file.write("\n")


def _latency(values: list[float]) -> dict[str, float]:
    ms = [1000 * value for value in values]
    return {
        "count": len(ms),
        "median": statistics.median(ms),
        "p99": percentile(ms, 0.99),
        "max": max(ms),
    }


def _more(record: Record) -> dict[str, int]:
    """The types with more objects at the end than at the beginning."""
    if not record.types:
        return {}
    first, last = record.types["first"], record.types["last"]
    more = {name: number - first.get(name, 0) for name, number in last.items() if name in first}
    ordered = sorted(more.items(), key=lambda item: -item[1])
    return {name: number for name, number in ordered[:10] if number > 0}


def _lines(figures: dict[str, Any]) -> Iterator[str]:
    yield f"{figures['seconds'] / 60:.1f} minutes"
    yield ""
    for name, number in figures["counts"].items():
        yield f"  {name:36}{number:8}"
    yield ""
    yield f"  {'milliseconds':28}{'count':>8}{'median':>9}{'p99':>9}{'max':>9}"
    for name, row in figures["latencies"].items():
        yield (f"  {name:28}{row['count']:8}{row['median']:9.1f}{row['p99']:9.1f}{row['max']:9.1f}")
    yield ""
    yield f"  {'after warm-up':28}{'min':>8}{'median':>9}{'max':>9}"
    for name, row in figures["gauges"].items():
        yield f"  {name:28}{row['min']:8.0f}{row['median']:9.0f}{row['max']:9.0f}"
    if rss := figures["rss"]:
        yield ""
        yield (
            f"  RSS after warm-up {rss['begin']:.1f} MB, at the end {rss['end']:.1f} MB, "
            f"at most {rss['max']:.1f} MB, slope {rss['slope']:+.2f} MB an hour"
        )
    if inside := figures["inside"]:
        yield (
            f"  in use inside: C library {inside['malloc']:+.2f} MB an hour, "
            f"Python {inside['blocks']:+.2f} thousand blocks an hour"
        )
    if figures["objects"]:
        more = ", ".join(f"{name} +{number}" for name, number in figures["objects"].items())
        yield f"  objects: {more}"
    yield ""
    for complaint in figures["complaints"][:40]:
        yield f"  WRONG: {complaint}"
    yield "FAILED" if figures["complaints"] else "passed"
