"""The soak's verdict: it finds leaks, ignores noise, and reports problems."""

import json
import os
import random
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from benchmarks.soak.figures import growth, percentile, slope
from benchmarks.soak.record import Record
from benchmarks.soak.report import GAUGES, save, summary, table
from benchmarks.soak.verdict import GROWTH, judge
from benchmarks.soak.workload import soak
from tests.support.helpers import temporary_directory


def record_of(seconds: int = 600, noise: float = 1.0, **an_hour: float) -> Record:
    """A run of a process with some noise, whose gauges grow by so much an hour."""
    chance = random.Random(4711)
    levels = {
        "rss": 60.0,
        "descriptors": 30.0,
        "threads": 11.0,
        "timers": 5.0,
        "tasks": 12.0,
        "specs": 9.0,
        "malloc": 10.0,
        "blocks": 200.0,
    }
    record = Record()
    for second in range(seconds):
        record.samples.append(
            {
                "time": float(second),
                **{
                    name: level + an_hour.get(name, 0.0) * second / 3600 + noise * chance.random()
                    for name, level in levels.items()
                },
            }
        )
    return record


class FigureTests(SynchronousTestCase):
    """The calculations."""

    def test_slope(self) -> None:
        """Least squares finds the slope of a line, and of a line with symmetric noise."""
        self.assertAlmostEqual(slope([(0, 1), (1, 3), (2, 5)]), 2)
        self.assertAlmostEqual(slope([(0, 1), (0, -1), (1, 4), (1, 2)]), 3)
        self.assertEqual(slope([(1, 5)]), 0)

    def test_percentile(self) -> None:
        """The value that a part of the values does not exceed."""
        self.assertEqual(percentile(range(1, 101), 0.99), 99)
        self.assertEqual(percentile([7], 0.99), 7)
        self.assertEqual(percentile([1, 2, 3], 1), 3)

    def test_growth(self) -> None:
        """Of the typical number: spikes do not count."""
        self.assertEqual(growth([1] * 10 + [2] * 10), 1)
        self.assertEqual(growth([*[1] * 19, 50]), 0)


class VerdictTests(SynchronousTestCase):
    """Whether it was passed."""

    def test_flat_and_noisy(self) -> None:
        """Noise alone is no leak, in a short run and in a long one."""
        self.assertEqual(judge(record_of()), [])
        self.assertEqual(judge(record_of(3600, noise=2.0)), [])

    def test_warm_up_does_not_count(self) -> None:
        """A process may grow in the beginning."""
        record = record_of()
        for sample in record.samples[:100]:
            sample["rss"] -= 20
            sample["threads"] -= 5
        self.assertEqual(judge(record), [])

    def test_memory_leak(self) -> None:
        """A slope beyond the bound is found under the noise."""
        (complaint,) = judge(record_of(3600, noise=2.0, rss=6.0))
        self.assertRegex(complaint, r"^memory grows by [56]\.\d MB an hour \(bound 4\.8\)$")
        (complaint,) = judge(record_of(600, rss=60.0))
        self.assertIn("memory grows by", complaint)

    def test_other_leaks(self) -> None:
        """So are descriptors, threads, timers and whatever else becomes more and more."""
        for name in GROWTH:
            (complaint,) = judge(record_of(600, **{name: 200.0}))
            self.assertIn(f"{name} grow by", complaint)

    def test_a_problem_is_enough(self) -> None:
        """Whatever was seen to be wrong is wrong."""
        record = record_of()
        record.problems.append("3.0 s: the state is lost")
        self.assertEqual(judge(record), ["3.0 s: the state is lost"])

    def test_nothing_measured(self) -> None:
        """A run without samples proves nothing."""
        self.assertEqual(len(judge(Record())), 1)
        record = record_of()
        for sample in record.samples:
            del sample["timers"]
        self.assertEqual(judge(record), ["timers: no samples"])


class ReportTests(SynchronousTestCase):
    """The report."""

    def test_table(self) -> None:
        """Counts, latencies in milliseconds, memory, and the verdict."""
        record = record_of(rss=100.0)
        record.counts["file"] = 17
        record.latencies["Allocate"] += [(1.0, 0.002), (2.0, 0.004), (3.0, 0.009)]
        record.types = {"first": {"dict": 5, "list": 2}, "last": {"dict": 9, "list": 2}}
        text = table(summary(record))
        for line in (
            r"10\.0 minutes",
            r"  file +17",
            r"  Allocate +3 +4\.0 +9\.0 +9\.0",
            r"  threads +11 +1[12] +12",
            r"  RSS after warm-up 6\d\.\d MB, .* slope \+[89]\d\.\d\d|\+10\d\.\d\d MB an hour",
            r"  objects: dict \+4",
            r"  WRONG: memory grows by .*",
            r"FAILED\Z",
        ):
            self.assertRegex(text, f"(?m)^{line}$" if not line.endswith("Z") else line)

    def test_json(self) -> None:
        """The file holds the figures and all samples."""
        record = record_of(20)
        path = os.path.join(temporary_directory(self), "soak.json")
        save(record, summary(record), path)
        with open(path, encoding="utf-8") as file:
            read: dict[str, Any] = json.load(file)
        self.assertEqual(len(read["record"]["samples"]), 20)
        self.assertEqual(read["summary"]["complaints"], judge(record))


class PlotTests(SynchronousTestCase):
    """The picture."""

    def test_svg(self) -> None:
        """Memory, counts and latencies, each with its name."""
        try:
            from benchmarks.soak.plot import plot
        except ImportError:
            raise SkipTest("needs matplotlib, of the extra soak") from None
        record = record_of()
        record.latencies["Allocate"] += [(1.0, 0.002), (2.0, 0.004)]
        path = os.path.join(temporary_directory(self), "soak.svg")
        plot(record, path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for name in ("RSS, MB", "descriptors", "threads", "timers", "Allocate", "minutes"):
            self.assertIn(f"<!-- {name} -->", text)


class SoakTests(TestCase):
    """A very short one, for real."""

    async def test_seconds(self) -> None:
        """It runs without a problem, and takes complete samples."""
        record = await soak(reactor, 3.0)
        self.assertEqual(record.problems, [])
        self.assertGreater(record.counts["file"], 0)
        self.assertGreater(record.counts["pods admitted"], 0)
        self.assertGreaterEqual(
            record.samples[-1].keys(),
            {"time", "rss", *GAUGES},
        )
