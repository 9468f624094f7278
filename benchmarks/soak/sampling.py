"""A look at the plugin process every second, from outside and through its `Probe`."""

import glob
import json
import os

from benchmarks.soak.record import Record, Sample

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


class Sampler:
    """Looks at the process `pid`, whose `Probe` writes `view`, and at its specs in `cdi`."""

    def __init__(self, pid: int, view: str, cdi: str, record: Record) -> None:
        self._proc = f"/proc/{pid}"
        self._view = view
        self._cdi = cdi
        self._record = record
        self._before: tuple[float, float] | None = None

    def look(self, now: float) -> None:
        """Add a sample.  Raises FileNotFoundError if there is no such process."""
        sample: Sample = {
            "time": now,
            "rss": int(self._read("statm").split()[1]) * _PAGE / 1e6,
            "descriptors": len(os.listdir(os.path.join(self._proc, "fd"))),
            "threads": len(os.listdir(os.path.join(self._proc, "task"))),
            "specs": sum(os.path.getsize(path) for path in self._specs()) / 1e3,
        }
        used = sum(map(int, self._read("stat").rpartition(")")[2].split()[11:13])) / _TICKS
        if self._before is not None and now > self._before[0]:
            sample["cpu"] = 100 * (used - self._before[1]) / (now - self._before[0])
        self._before = now, used
        try:
            with open(self._view, encoding="ascii") as file:
                view = json.load(file)
        except FileNotFoundError:
            pass  # it has just started
        else:
            types = view.pop("types")
            self._record.types.setdefault("first", types)
            self._record.types["last"] = types
            sample.update(view)
        self._record.samples.append(sample)

    def _specs(self) -> list[str]:
        return glob.glob(os.path.join(self._cdi, "*.json"))

    def _read(self, name: str) -> str:
        with open(os.path.join(self._proc, name), encoding="ascii") as file:
            return file.read()
