"""Draws memory and latencies over time."""

from matplotlib.figure import Figure

from benchmarks.soak.record import Record

SHOWN = ("Allocate", "file", "loop device", "again after wipe", "again after socket only")


def plot(record: Record, path: str) -> None:
    """Draw into the file `path`, whose suffix selects the format (SVG, PNG)."""
    figure = Figure(figsize=(10, 10))
    memory, counts, latency = figure.subplots(3, sharex=True)
    for name, axes in (("rss", memory), ("descriptors", counts), ("threads", counts)):
        points = [(one["time"] / 60, one[name]) for one in record.samples]
        axes.plot(*zip(*points, strict=True), label=name, linewidth=1)
    points = [(one["time"] / 60, one["timers"]) for one in record.samples if "timers" in one]
    if points:
        counts.plot(*zip(*points, strict=True), label="timers", linewidth=1)
    memory.set_ylabel("RSS, MB")
    memory.set_ylim(bottom=0)
    counts.set_ylabel("number")
    counts.legend(loc="upper right")
    for name in SHOWN:
        if seen := record.latencies.get(name):
            latency.plot(
                [time / 60 for time, _ in seen],
                [1000 * seconds for _, seconds in seen],
                ".",
                markersize=2,
                label=name,
            )
    latency.set_yscale("log")
    latency.set_ylabel("ms")
    latency.set_xlabel("minutes")
    latency.legend(loc="upper right", markerscale=4)
    figure.tight_layout()
    figure.savefig(path)
