"""Running checks: their order, their verdicts, and the clean-up."""

import os
import subprocess
import sys
import tempfile
from typing import Any

import attrs
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.conformance.plans import plan_for
from tests.conformance.test_program import runs
from tests.support.helpers import soon, temporary_directory
from twistdp.conformance.bench import Bench
from twistdp.conformance.catalog import CHECKS
from twistdp.conformance.checking import Check, CommandFailed, Failed, Result, Skipped, Verdict
from twistdp.conformance.plan import Plan
from twistdp.conformance.processes import cpu, family, usage
from twistdp.conformance.suite import Found, look, run

PLAN = Plan(("sh", "-c", "exec sleep 60 # {plugin_dir}"), patience=30.0, startup=30.0)
FOUND = Found("a.example.com/b", {})


def check_of(id_: str, run: Any, **options: Any) -> Check:
    """A check of a coroutine function."""
    return Check(id_, id_, "here", run, **options)


async def nothing(bench: Bench) -> None:
    """A check that passes."""


def failing(error: Exception) -> Any:
    """A check that raises."""

    async def raises(bench: Bench) -> None:
        raise error

    return raises


class RunTests(TestCase):
    """Verdicts."""

    async def results(self, *checks: Check, found: Found = FOUND, **options: Any) -> list[Result]:
        """The results of some checks."""
        return await run(PLAN, checks, found, reactor=reactor, **options)

    def own_temporary_directory(self) -> str:
        """Where all that is temporary is made from now on: others may run the suite too."""
        here = temporary_directory(self)
        self.patch(tempfile, "tempdir", here)
        return here

    async def test_verdicts(self) -> None:
        """Pass, fail, skip and warn, and a check that breaks has failed."""

        async def warns(bench: Bench) -> None:
            bench.warn("first")
            bench.warn("second")

        done: list[Result] = []
        results = await self.results(
            check_of("a.pass", nothing),
            check_of("a.fail", failing(Failed("wrong"))),
            check_of("a.skip", failing(Skipped("missing"))),
            check_of("a.warn", warns),
            check_of("a.broken", failing(KeyError("x"))),
            check_of("a.command", failing(CommandFailed("it exited"))),
            done=done.append,
        )
        self.assertEqual(
            [(result.verdict.value, result.reason) for result in results],
            [
                ("pass", ""),
                ("fail", "wrong"),
                ("skip", "missing"),
                ("warn", "first; second"),
                ("fail", "the check itself broke: KeyError: 'x'"),
                ("fail", "it exited"),
            ],
        )
        self.assertEqual(done, results)
        self.assertIn("Traceback", results[4].evidence[0].text)

    async def test_dependencies(self) -> None:
        """Checks that depend on a failed one are skipped, also indirectly; several run at once."""
        waiting: Deferred[None] = Deferred()

        async def fails_late(bench: Bench) -> None:
            await waiting
            raise Failed("late")

        checks = [
            check_of("a.first", fails_late),
            check_of("a.second", nothing, after=("a.first",)),
            check_of("a.third", nothing, after=("a.not-chosen",)),
            check_of("a.fourth", nothing, after=("a.second",)),
            check_of("a.fifth", failing(Skipped("missing"))),
            check_of("a.sixth", nothing, after=("a.fifth",)),
        ]
        reactor.callLater(0.01, waiting.callback, None)
        results = await self.results(*checks, jobs=3)
        verdicts = [result.verdict.value for result in results]
        self.assertEqual(verdicts, ["fail", "skip", "pass", "skip", "skip", "pass"])
        for result in (results[1], results[3]):
            self.assertEqual(result.reason, "a.first has failed")

    async def test_never_registered(self) -> None:
        """Without a resource only the checks that need none are made."""
        results = await self.results(
            check_of("a.needs", nothing),
            check_of("a.not", nothing, registered=False),
            found=Found("", {}),
        )
        self.assertEqual([r.verdict for r in results], [Verdict.SKIP, Verdict.PASS])

    async def test_one_at_a_time(self) -> None:
        """By default no two checks overlap."""
        running: list[str] = []
        most = 0

        async def counts(bench: Bench) -> None:
            nonlocal most
            running.append("x")
            most = max(most, len(running))
            await bench.pause(0.01)
            running.pop()

        await self.results(*(check_of(f"a.{number}", counts) for number in range(3)))
        self.assertEqual(most, 1)
        await self.results(*(check_of(f"a.{number}", counts) for number in range(3)), jobs=2)
        self.assertEqual(most, 2)

    async def test_leaves_nothing(self) -> None:
        """The plugin with all its children, and the directories, are gone after a check."""
        pids: list[int] = []

        async def starts(bench: Bench) -> None:
            await bench.kubelet.start()
            bench.start_plugin()
            await bench.until("two children", lambda: len(family(bench.plugin.pid)) >= 3)
            pids.extend(family(bench.plugin.pid))
            raise Failed("and fails")

        plan = Plan(("sh", "-c", "sleep 60 & sleep 61 & wait # {plugin_dir}"))
        here = self.own_temporary_directory()
        await run(plan, [check_of("a.x", starts)], FOUND, reactor=reactor)
        self.assertGreaterEqual(len(pids), 3)
        for pid in pids:
            self.assertFalse(runs(pid), pid)
        self.assertEqual(os.listdir(here), [])

    async def test_cleans_up_whatever_happens(self) -> None:
        """If a device cannot be restored, the clean-up continues, and the check fails."""
        pids: list[int] = []

        async def plugs(bench: Bench) -> None:
            bench.start_plugin()
            await bench.hardware.plug_unseen()
            pids.append(bench.plugin.pid)

        plan = attrs.evolve(PLAN, add="true", remove="echo so sorry; exit 5")
        here = self.own_temporary_directory()
        (result,) = await run(plan, [check_of("a.x", plugs)], FOUND, reactor=reactor)
        self.assertIs(result.verdict, Verdict.FAIL)
        reason = "the command 'echo so sorry; exit 5' exited with status 5: so sorry"
        self.assertEqual(result.reason, f"cleaning up: {reason}")
        self.assertIn(f"cleaning up: {reason}", [seen.text for seen in result.evidence])
        self.assertFalse(runs(pids[0]))
        self.assertEqual(os.listdir(here), [])

    async def test_interrupted(self) -> None:
        """A cancelled run ends after the clean-up of all running checks."""
        pids: list[int] = []
        begun: Deferred[None] = Deferred()

        async def waits(bench: Bench) -> None:
            await bench.kubelet.start()
            bench.start_plugin()
            pids.append(bench.plugin.pid)
            if len(pids) == 2:
                reactor.callLater(0, begun.callback, None)
            await bench.pause(60.0)

        here = self.own_temporary_directory()
        done: list[Result] = []
        checks = [check_of(f"a.{number}", waits) for number in range(4)]
        running = Deferred.fromCoroutine(self.results(*checks, jobs=2, done=done.append))
        await soon(begun)
        running.cancel()
        with self.assertRaises(CancelledError):
            await soon(running)
        self.assertEqual([(r.verdict, r.reason) for r in done], [(Verdict.FAIL, "interrupted")] * 2)
        self.assertEqual([runs(pid) for pid in pids], [False, False])
        self.assertEqual(os.listdir(here), [])

    async def test_until(self) -> None:
        """Waiting ends with the condition, the user's patience or the plugin's end."""
        said = []

        async def waits(bench: Bench) -> None:
            with self.assertRaises(Failed) as caught:
                await bench.until("never", lambda: False)
            said.append(str(caught.exception))
            bench.plan = PLAN
            bench.start_plugin()
            bench.plugin.signal("KILL")
            with self.assertRaises(Failed) as caught:
                await bench.until("an answer", lambda: False)
            said.append(str(caught.exception))

        impatient = attrs.evolve(PLAN, patience=0.3, startup=0.3)
        (result,) = await run(impatient, [check_of("a.x", waits)], FOUND, reactor=reactor)
        self.assertEqual(result.reason, "")
        self.assertRegex(said[0], r"^not within [\d.]+ s: never$")
        self.assertEqual(said[1], "the plugin was ended by SIGKILL (expected: an answer)")


class WrapperTests(TestCase):
    """A shell that waits for the plugin instead of becoming it."""

    async def test_sigterm(self) -> None:
        """The shell's end is noticed, and a warning says that the plugin still runs."""
        plan = plan_for("none")
        *start, script = plan.command
        wrapped = attrs.evolve(plan, command=(*start, script.replace("exec ", "") + "; true"))
        checks = [check for check in CHECKS if check.id in ("process.sigterm", "process.crash")]
        found = Found("check.example.com/thing", {})
        results = await run(wrapped, checks, found, reactor=reactor)
        self.assertEqual(
            [result.verdict for result in results], [Verdict.WARN, Verdict.PASS], results
        )
        self.assertIn("left 1 of its processes running", results[0].reason)


class LookTests(TestCase):
    """The first look."""

    async def test_finds_the_resource(self) -> None:
        """The resource that has devices, with all of them."""
        found = await look(plan_for("none"), reactor)
        self.assertEqual(found.resource, "check.example.com/thing", found.problem)
        self.assertEqual(set(found.devices), {"a", "b", "c"})

    async def test_tells_what_is_wrong(self) -> None:
        """A plugin that ends, and one that the kubelet refuses."""
        ended = await look(Plan(("sh", "-c", "exit 3 # {plugin_dir}")), reactor)
        self.assertEqual(ended.resource, "")
        self.assertIn("exited with status 3", ended.problem)
        refused = await look(plan_for("OldVersion"), reactor)
        self.assertIn('requested API version "v1alpha" is not supported', refused.problem)


class ProcessTests(SynchronousTestCase):
    """Tests for `twistdp.conformance.processes`."""

    def test_family(self) -> None:
        """A process with its children and theirs."""
        with subprocess.Popen(["/bin/sh", "-c", "read line"], stdin=subprocess.PIPE) as child:
            self.assertIn(child.pid, family(os.getpid()))
            child.communicate()
        self.assertEqual(family(os.getpid())[0], os.getpid())

    def test_nobodys_family(self) -> None:
        """Neither the number 0 of an ended process nor init is everybody's ancestor."""
        self.assertEqual((family(0), family(1)), ([], []))
        self.assertEqual(usage(0).descriptors, 0)

    def test_usage(self) -> None:
        """Counts grow with what is opened; a process that is gone has nothing."""
        before = usage(os.getpid())
        with open(os.devnull, "rb"):
            self.assertEqual(usage(os.getpid()).descriptors, before.descriptors + 1)
        self.assertGreater(before.memory, 10_000_000)
        self.assertGreaterEqual(before.threads, 1)
        gone = subprocess.run(
            [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
        )
        self.assertEqual(usage(int(gone.stdout)).descriptors, 0)

    def test_cpu(self) -> None:
        """Work takes time."""
        before = cpu(os.getpid())
        while cpu(os.getpid()) - before < 0.02:
            sum(range(100_000))
