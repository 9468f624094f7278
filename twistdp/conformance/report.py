"""Writes results for people and for programs."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, TextIO
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from twistdp._version import __version__
from twistdp.conformance.checking import Check, Result, Verdict
from twistdp.conformance.plan import Plan
from twistdp.conformance.suite import Found
from twistdp.model import printable

_COLOURS = {
    Verdict.PASS: "32",
    Verdict.WARN: "33",
    Verdict.SKIP: "36",
    Verdict.FAIL: "31;1",
}

LONGEST = 2000
"""Characters of a reason or of a piece of evidence that are shown."""

EVIDENCE = 25
"""Lines of evidence that are shown for a failed check."""


class TextReport:
    """Writes a line for each finished check, and a summary."""

    def __init__(self, stream: TextIO, *, total: int, colour: bool, verbose: bool) -> None:
        self._stream = stream
        self._total = total
        self._colour = colour
        self._verbose = verbose
        self._done = 0

    def result(self, result: Result) -> None:
        """Write the result of a check."""
        self._done += 1
        verdict = result.verdict.value
        if self._colour:
            verdict = f"\033[{_COLOURS[result.verdict]}m{verdict}\033[0m"
        self._say(
            f"[{self._done:2}/{self._total}] {verdict}  {result.check.id:<28} "
            f"{result.seconds:6.2f} s  {result.check.title}"
        )
        if result.reason:
            self._say(f"                {_shown(result.reason)}")
        if result.verdict is Verdict.FAIL or self._verbose:
            shown = result.evidence if self._verbose else result.evidence[-EVIDENCE:]
            for seen in shown:
                self._say(f"                {seen.seconds:8.3f}  {_shown(seen.text)}")

    def summary(self, results: Sequence[Result]) -> None:
        """Write the summary."""
        self._say(f"\n{summary(results)}")
        for result in results:
            if result.verdict is Verdict.FAIL:
                self._say(f"  {result.check.id}: {_shown(result.reason)}")
        if any(result.verdict is Verdict.FAIL for result in results):
            self._say("Explain a check: twistdp conformance --explain CHECK")

    def _say(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


def _shown(text: str) -> str:
    """Escape and cut text of a plugin, which must not control or fill a terminal."""
    return printable(text, LONGEST)


def summary(results: Sequence[Result]) -> str:
    """How many checks passed, and so on."""
    counts = Counter(result.verdict for result in results)
    words = {"pass": "passed", "warn": "with warnings", "skip": "skipped", "fail": "failed"}
    return ", ".join(f"{counts[verdict]} {words[verdict.value]}" for verdict in Verdict)


def explained(check: Check) -> str:
    """The explanation of a check in a few lines."""
    lines = [f"{check.id}: {check.title}", "", check.explanation, "", f"Source: {check.source}"]
    if check.after:
        lines.append(f"Runs after: {', '.join(check.after)}")
    return "\n".join(lines)


def as_json(plan: Plan, found: Found, results: Sequence[Result]) -> dict[str, Any]:
    """All results for programs, with times in seconds."""
    return {
        "suite": {"name": "twistdp conformance", "version": __version__.public()},
        "command": list(plan.command),
        "resource": found.resource,
        "devices": dict(found.devices),
        "summary": dict(Counter(result.verdict.value for result in results)),
        "checks": [
            {
                "id": result.check.id,
                "title": result.check.title,
                "source": result.check.source,
                "explanation": result.check.explanation,
                "verdict": result.verdict.value,
                "reason": result.reason,
                "seconds": round(result.seconds, 3),
                "evidence": [
                    {"seconds": round(seen.seconds, 4), "text": seen.text}
                    for seen in result.evidence
                ],
            }
            for result in results
        ],
    }


def as_junit(results: Sequence[Result]) -> str:
    """The results in JUnit's format, which continuous integration reads."""
    suite = Element(
        "testsuite",
        name="twistdp conformance",
        tests=str(len(results)),
        failures=str(sum(result.verdict is Verdict.FAIL for result in results)),
        skipped=str(sum(result.verdict is Verdict.SKIP for result in results)),
        time=f"{sum(result.seconds for result in results):.3f}",
    )
    for result in results:
        group, _, name = result.check.id.partition(".")
        case = SubElement(
            suite, "testcase", classname=group, name=name, time=f"{result.seconds:.3f}"
        )
        if result.verdict is Verdict.FAIL:
            SubElement(case, "failure", message=_clean(result.reason))
        elif result.verdict is Verdict.SKIP:
            SubElement(case, "skipped", message=_clean(result.reason))
        lines = [f"{seen.seconds:.4f} {seen.text}" for seen in result.evidence]
        if result.verdict is Verdict.WARN:
            lines.insert(0, f"warning: {result.reason}")
        SubElement(case, "system-out").text = _clean("\n".join(lines))
    root = Element("testsuites")
    root.append(suite)
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _clean(text: str) -> str:
    """Replace characters that XML cannot contain; a plugin may have written any."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)
