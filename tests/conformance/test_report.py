"""Results for people and for programs."""

import io
import json
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from twistdp.conformance.checking import Check, Evidence, Result, Verdict, check
from twistdp.conformance.plan import Plan
from twistdp.conformance.report import TextReport, as_json, as_junit, explained, summary
from twistdp.conformance.suite import Found


@check("group.name", "A title", source="a text", after=["group.other"])
async def example(bench: object) -> None:
    """Why it
    matters."""


def result(verdict: Verdict, reason: str = "", text: str = "seen") -> Result:
    """A result with one piece of evidence."""
    return Result(example, verdict, reason, 1.5, (Evidence(0.25, text),))


ALL = [
    result(Verdict.PASS),
    result(Verdict.WARN, "nearly"),
    result(Verdict.SKIP, "not here"),
    result(Verdict.FAIL, "it did not"),
]


class CheckTests(SynchronousTestCase):
    """Tests for the decorator."""

    def test_check(self) -> None:
        """A check with its explanation on one line."""
        self.assertIsInstance(example, Check)
        self.assertEqual(example.explanation, "Why it matters.")
        self.assertEqual(example.after, ("group.other",))
        text = explained(example)
        for part in ("group.name", "A title", "Why it matters.", "a text", "group.other"):
            self.assertIn(part, text)


class TextTests(SynchronousTestCase):
    """Lines for people."""

    def report(self, *, colour: bool = False, verbose: bool = False) -> str:
        """All that is written for `ALL`."""
        stream = io.StringIO()
        text = TextReport(stream, total=4, colour=colour, verbose=verbose)
        for one in ALL:
            text.result(one)
        text.summary(ALL)
        return stream.getvalue()

    def test_lines(self) -> None:
        """A line a check with its place, verdict and time; evidence where it failed."""
        lines = self.report().splitlines()
        self.assertRegex(lines[0], r"^\[ 1/4\] pass  group\.name +1\.50 s  A title$")
        self.assertRegex(lines[1], r"^\[ 2/4\] warn ")
        self.assertEqual(lines[2].strip(), "nearly")
        self.assertEqual(sum("seen" in line for line in lines), 1)
        self.assertIn("1 passed, 1 with warnings, 1 skipped, 1 failed", lines)
        self.assertIn("  group.name: it did not", lines)

    def test_verbose(self) -> None:
        """All evidence when asked for."""
        self.assertEqual(self.report(verbose=True).count("seen"), 4)

    def test_hostile(self) -> None:
        """Text that a plugin sends neither controls a terminal nor fills it."""
        stream = io.StringIO()
        report = TextReport(stream, total=1, colour=False, verbose=True)
        one = result(Verdict.FAIL, "\x1b[2J\u202e", "\x9b\r" + "x" * 10_000)
        report.result(one)
        report.summary([one])
        text = stream.getvalue()
        self.assertTrue(text.replace("\n", "").isprintable())
        self.assertEqual(text.count(r"\x1b[2J\u202e"), 2)
        self.assertIn("(10002 characters)", text)

    def test_colour(self) -> None:
        """Verdicts have colours on a terminal, and only there."""
        self.assertIn("\033[32mpass\033[0m", self.report(colour=True))
        self.assertNotIn("\033", self.report())

    def test_summary(self) -> None:
        """The summary also says that nothing failed."""
        self.assertEqual(summary(ALL[:1]), "1 passed, 0 with warnings, 0 skipped, 0 failed")


class ProgramTests(SynchronousTestCase):
    """JSON and JUnit."""

    def test_json(self) -> None:
        """All there is."""
        plan = Plan(("plugin", "{plugin_dir}"))
        found = Found("a.example.com/b", {"x": "Healthy"})
        said = json.loads(json.dumps(as_json(plan, found, ALL)))
        self.assertEqual(said["command"], ["plugin", "{plugin_dir}"])
        self.assertEqual(said["resource"], "a.example.com/b")
        self.assertEqual(said["summary"], {"pass": 1, "warn": 1, "skip": 1, "fail": 1})
        self.assertEqual(said["checks"][3]["verdict"], "fail")
        self.assertEqual(said["checks"][3]["reason"], "it did not")
        self.assertEqual(said["checks"][0]["evidence"], [{"seconds": 0.25, "text": "seen"}])

    def test_junit(self) -> None:
        """Failures and skips are marked, warnings are not failures, and any text is XML."""
        odd = result(Verdict.FAIL, "bad \x00 <text>", "\x1b[31m & more\ud800")
        suite = ElementTree.fromstring(as_junit([*ALL, odd])).find("testsuite")
        assert suite is not None
        self.assertEqual(
            [suite.get(key) for key in ("tests", "failures", "skipped", "time")],
            ["5", "2", "1", "7.500"],
        )
        cases = suite.findall("testcase")
        self.assertEqual([len(case.findall("failure")) for case in cases], [0, 0, 0, 1, 1])
        self.assertEqual(len(cases[2].findall("skipped")), 1)
        self.assertIn("warning: nearly", cases[1].findtext("system-out", ""))
        failure = cases[4].find("failure")
        assert failure is not None
        self.assertIn("<text>", failure.get("message", ""))
