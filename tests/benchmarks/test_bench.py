"""The benchmark: what it calculates and shows is right, and its scenarios do run."""

import asyncio
import json
import math
import os
import resource
import subprocess
import sysconfig
import time
from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from benchmarks.bench.__main__ import measure
from benchmarks.bench.base import checked_out
from benchmarks.bench.contenders import (
    AIO,
    HAND,
    OURS,
    PLAIN,
    PYTHON,
    ROOT,
    Contender,
    floors,
    other,
    plain,
    twistdp,
)
from benchmarks.bench.goals import GOALS, Goal
from benchmarks.bench.load import allocate_request
from benchmarks.bench.process import cpu, footprint, wakeups
from benchmarks.bench.record import NEVER, Figure, Record, percentile
from benchmarks.bench.report import markdown, number, rows, table, to_json
from benchmarks.bench.stage import Bench
from tests.support.helpers import temporary_directory
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import AllocateRequest


def sample() -> Record:
    """A small run: a goal that is met, one that is not, and one that has no value."""
    record = Record()
    for ours, theirs in ((4.0, 300.0), (6.0, NEVER), (5.0, 100.0)):
        record.add("hot plug, add, 100 devices", "ms", OURS, ours)
        record.add("hot plug, add, 100 devices", "ms", PLAIN, theirs)
    record.add("Allocate, 1 device", "µs", OURS, 240.0)
    record.add("Allocate, 1 device", "µs", AIO, 200.0)
    record.add("RSS, 8 devices", "MB", PLAIN, 40.0)
    return record


class FigureTests(SynchronousTestCase):
    """The calculations."""

    def test_percentile(self) -> None:
        """The smallest value that a part of the values does not exceed."""
        self.assertEqual(percentile(range(1, 101), 0.99), 99)
        self.assertEqual(percentile([3, 1, 2], 0.5), 2)
        self.assertEqual(percentile([7], 0.99), 7)

    def test_median_and_p99(self) -> None:
        """The p99 is on the bad side: the low one, where more is better."""
        values = {OURS: [float(value) for value in range(1, 201)]}
        self.assertEqual(Figure("ms", values=values).median(OURS), 100.5)
        self.assertEqual(Figure("ms", values=values).p99(OURS), 198)
        self.assertEqual(Figure("calls/s", more=True, values=values).p99(OURS), 3)
        self.assertIsNone(Figure("ms").median(OURS))
        self.assertIsNone(Figure("ms").p99(OURS))

    def test_ratio_by_repetition(self) -> None:
        """A slow repetition of both does not change the ratio."""
        figure = Figure("µs", values={OURS: [2.0, 30.0, 4.0], AIO: [1.0, 10.0, 4.0]})
        self.assertEqual(figure.ratio(OURS, AIO), 2)
        figure.values[AIO] = [1.0, 4.0]
        self.assertEqual(figure.ratio(OURS, AIO), 1.6)

    def test_no_ratio(self) -> None:
        """To nothing, zero or never there is none; never is never, whatever it is compared to."""
        figure = Figure("ms", values={OURS: [2.0], PLAIN: [NEVER], AIO: [0.0]})
        for name in (PLAIN, AIO, "somebody"):
            self.assertIsNone(figure.ratio(OURS, name))
        self.assertEqual(figure.ratio(PLAIN, OURS), math.inf)


class GoalTests(SynchronousTestCase):
    """Whether a goal is met."""

    def test_bound(self) -> None:
        """At most the bound, as it is shown; at least where more is better."""
        goal = Goal(5)
        for value, met in ((4.0, True), (5.0, True), (5.004, True), (5.01, False), (NEVER, False)):
            self.assertIs(goal.is_met(Figure("ms", values={OURS: [value]})), met)
        self.assertFalse(goal.is_met(Figure("", more=True, values={OURS: [4.0]})))
        self.assertFalse(Goal(0.06).is_met(Figure("s", values={OURS: [0.063]})))
        self.assertTrue(goal.is_met(Figure("", more=True, values={OURS: [6.0]})))

    def test_floor(self) -> None:
        """The ratio to the floor of the same run counts, not the value."""
        figure = Figure("µs", values={OURS: [230.0], AIO: [200.0]})
        self.assertTrue(Goal(1.15, AIO).is_met(figure))
        self.assertFalse(Goal(1.1, AIO).is_met(figure))

    def test_not_measured(self) -> None:
        """A goal that was not measured is neither met nor missed."""
        self.assertIsNone(Goal(5).is_met(Figure("ms", values={PLAIN: [1.0]})))
        self.assertIsNone(Goal(1.15, AIO).is_met(Figure("ms", values={OURS: [1.0]})))


class ReportTests(SynchronousTestCase):
    """The report."""

    def test_rows(self) -> None:
        """Medians, p99, ratios, goal and verdict of each figure."""
        head, *lines = rows(sample())
        self.assertEqual(
            head,
            ["", "unit", OURS, "p99", PLAIN, AIO, f"÷ {PLAIN}", f"÷ {AIO}", "goal", "met"],
        )
        ours, floor, nothing = lines
        self.assertEqual(ours[1:], ["ms", "5", "6", "300", "-", "0.03", "-", "≤ 5 ms", "yes"])
        self.assertEqual(floor[2:8], ["240", "-", "-", "200", "-", "1.20"])
        self.assertEqual(floor[8:], ["≤ 1.15 of echo aio", "NO"])
        self.assertEqual(nothing[2:], ["-", "-", "40", "-", "-", "-", "≤ 50 MB", ""])

    def test_texts(self) -> None:
        """The table has a line a figure and the score; so has the markdown."""
        for text in (table(sample()), markdown(sample())):
            self.assertRegex(text, r"(?m)^(\| )?hot plug, add, 100 devices .* yes( \|)?$")
            self.assertIn("1 of 2 goals met", text)
            self.assertIn(f"{len(GOALS) - 2} not measured", text)

    def test_json(self) -> None:
        """All values are there, and it is JSON also where something never happens."""
        read = json.loads(to_json(sample()))["figures"]["hot plug, add, 100 devices"]
        self.assertEqual(read["contenders"][PLAIN]["values"], [300.0, None, 100.0])
        self.assertEqual(read["contenders"][OURS]["median"], 5.0)
        self.assertIs(read["met"], True)

    def test_numbers(self) -> None:
        """Three digits that mean something."""
        numbers: dict[float | None, str] = {
            0.03456: "0.0346",
            4.0: "4",
            12.345: "12.3",
            4711.2: "4711",
            0.0: "0",
            NEVER: "never",
            None: "-",
        }
        for value, text in numbers.items():
            self.assertEqual(number(value), text)

    def test_plot(self) -> None:
        """Every figure of ours that has a value is drawn."""
        try:
            from benchmarks.bench.plot import plot
        except ImportError:
            raise SkipTest("needs matplotlib, of the extra soak") from None
        path = os.path.join(temporary_directory(self), "bench.svg")
        plot(sample(), path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for name in ("hot plug, add, 100 devices", "Allocate, 1 device", PLAIN, "goal"):
            self.assertIn(f"<!-- {name} -->", text)
        self.assertNotIn("RSS", text)


class ProcessTests(SynchronousTestCase):
    """Figures of this process."""

    def test_self(self) -> None:
        """CPU time is that of all threads, and nothing that a process has is zero."""
        self.assertTrue(0 < cpu(os.getpid()) <= time.process_time())
        held = footprint(os.getpid())
        self.assertGreater(held.rss, 5)
        self.assertGreaterEqual(held.threads, 1)
        self.assertGreaterEqual(held.descriptors, 3)
        woken = wakeups(os.getpid())
        self.assertTrue(0 < woken <= resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw)


class CommandTests(SynchronousTestCase):
    """Whom it compares."""

    def test_command(self) -> None:
        """The places are put into the command of any plugin, and into ours."""
        self.assertEqual(
            other("go=./plugin --dir '{plugins}' {devices}/*").command(plugins="P", devices="D"),
            ["./plugin", "--dir", "P", "D/*"],
        )
        self.assertIn("--plugin-dir=P", twistdp().command(plugins="P", devices="D"))

    def test_no_command(self) -> None:
        """A plugin without a name or command is refused."""
        for text in ("./plugin", "=./plugin", "go="):
            self.assertRaises(ValueError, other, text)

    def test_base(self) -> None:
        """An earlier commit is laid out in a directory of its own; one that is none is refused."""
        with (
            self.assertRaisesRegex(ValueError, "no-such-revision"),
            checked_out("no-such-revision"),
        ):
            self.fail("there is no such revision")
        if not os.path.exists(os.path.join(ROOT, ".git")):
            raise SkipTest("not a git repository")
        with checked_out("HEAD") as directory:
            self.assertTrue(os.path.exists(os.path.join(directory, "twistdp", "manager.py")))
        self.assertFalse(os.path.exists(directory))

    def test_own_packages(self) -> None:
        """Each contender finds its own twistdp only, and its own list of twistd's plugins."""
        base = temporary_directory(self)
        for name in ("twistdp", "twisted"):
            os.symlink(os.path.join(ROOT, name), os.path.join(base, name))
        show = (
            "import os, sys, twistdp, twisted.plugins\n"
            "assert not sys.dont_write_bytecode\n"
            "print(*twistdp.__path__, *filter(os.path.exists, twisted.plugins.__path__))"
        )
        self.patch(os, "environ", {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        for contender in (twistdp(), twistdp("base", base)):
            found = subprocess.run(
                [*PYTHON, "-c", show],
                cwd=contender.directory,
                env=contender.environment(),
                capture_output=True,
                text=True,
                check=True,
            )
            source, packages = contender.source or "", sysconfig.get_path("purelib")
            places = [
                f"{source}/twistdp",
                *(f"{path}/twisted/plugins" for path in (source, packages)),
            ]
            self.assertEqual(sorted(found.stdout.split()), sorted(places))

    def test_plugin_environment(self) -> None:
        """A plugin of any kind runs in the environment of the benchmark."""
        environment = other("go=./plugin").environment()
        self.assertEqual(environment.get("PYTHONPATH"), os.environ.get("PYTHONPATH"))

    def test_request(self) -> None:
        """The load's own encoding is what protobuf takes, also where the length needs two bytes."""
        for count in (1, 8, 100):
            ids = [f"dev-{index:05}" for index in range(count)]
            message = allocate_request([id_.encode() for id_ in ids])[5:]
            (container,) = AllocateRequest.FromString(message).container_requests
            self.assertEqual(list(container.devices_ids), ids)


class ScenarioTests(TestCase):
    """Scenarios for real, with few devices."""

    timeout = 300

    async def run_quick(self, contenders: Sequence[Contender], *only: str) -> Record:
        """Run in the reactor's loop, everything once."""
        bench = Bench(contenders, Record(), repeats=0.01, quick=True)
        return await Deferred.fromFuture(asyncio.ensure_future(measure(bench, only)))

    async def test_start_and_allocate(self) -> None:
        """Ours and the floor are started, called, and every figure has their values."""
        record = await self.run_quick([twistdp(), next(floors())], "start", "allocate")
        for what in ("start to listed, 1 device", "Allocate, 1 device", "Allocate rate, 1 caller"):
            figure = record.figures[what]
            for name in (OURS, AIO):
                (value,) = figure.values[name][:1]
                self.assertTrue(0 < value < math.inf, f"{what}, {name}: {value}")
        self.assertIn("goals met", table(record))

    async def test_restart_of_the_contrast(self) -> None:
        """The plain plugin serves folders too, and comes back after a restart of the kubelet."""
        record = await self.run_quick([plain()], "restart")
        (figure,) = record.figures.values()
        self.assertLess(max(figure.values[PLAIN]), NEVER)

    async def test_declared(self) -> None:
        """A configuration file and the scanner by hand list the same, and changes of it."""
        record = await self.run_quick([], "declared")
        for what in ("first scan", "add a device", "remove a device", "RSS", "most RSS"):
            for value in record.figures[f"declared: {what}"].values.values():
                self.assertTrue(0 < max(value) < NEVER, f"{what}: {value}")
        self.assertIn(HAND, record.figures["declared: first scan"].values)

    async def test_http(self) -> None:
        """A plugin that is asked all the time still follows, and every figure has its value."""
        record = await self.run_quick([twistdp()], "http")
        for what in (
            "RSS, 100 devices, with --http, asked",
            "hot plug, add, 100 devices, asked",
            "hot plug, remove, 100 devices, alone",
            "CPU while asked, 100 devices",
        ):
            (value,) = record.figures[what].values[OURS]
            self.assertTrue(0 < value < NEVER, f"{what}: {value}")

    async def test_hot_plug(self) -> None:
        """The lists show devices that come and go."""
        record = await self.run_quick([twistdp()], "hotplug")
        added, removed = (figure.values[OURS] for figure in record.figures.values())
        self.assertTrue(0 < max(added) < NEVER and 0 < max(removed) < NEVER)
