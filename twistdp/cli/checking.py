"""Runs the conformance suite in a process of its own, and writes its reports."""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import CancelledError

from twistdp.cli.running import run_on_reactor
from twistdp.cli.terminal import Busy
from twistdp.conformance import (
    Check,
    Plan,
    Result,
    TextReport,
    Verdict,
    as_json,
    as_junit,
    look,
)
from twistdp.conformance import run as run_checks

UNUSABLE = 2
"""The exit status when nothing could be checked."""


def run(
    plan: Plan,
    checks: Sequence[Check],
    *,
    jobs: int,
    strict: bool,
    verbose: bool,
    json_path: str | None,
    junit_path: str | None,
) -> int:
    """Run the checks and return the exit status; `jobs` of them at once.

    Results go to standard output, and to the paths in these formats; ``-`` is standard output.
    """

    async def main(reactor: Any) -> int:
        stream = sys.stderr if json_path == "-" else sys.stdout
        colour = stream.isatty() and "NO_COLOR" not in os.environ
        report = TextReport(stream, total=len(checks), colour=colour, verbose=verbose)
        print(
            f"starting the plugin to see its resources (for up to {plan.startup:g} s)",
            file=stream,
            flush=True,
        )
        with Busy("starting the plugin"):
            found = await look(plan, reactor)
        if found.resource:
            count = len(found.devices)
            print(f"{found.resource}: {count} device{'' if count == 1 else 's'}", file=stream)
        else:
            print(f"the plugin was not accepted: {found.problem}", file=stream)
        with Busy("running the checks", len(checks)) as progress:

            def done(result: Result) -> None:
                progress.advance()
                with progress.hidden():
                    report.result(result)

            results = await run_checks(plan, checks, found, reactor=reactor, done=done, jobs=jobs)
        report.summary(results)
        if json_path:
            write(json_path, json.dumps(as_json(plan, found, results), indent=2) + "\n")
        if junit_path:
            write(junit_path, as_junit(results))
        return _status(results, strict)

    async def interruptible(reactor: Any) -> int:
        try:
            return await main(reactor)
        except CancelledError:
            print("interrupted: the plugin has ended and everything is cleaned up", file=sys.stderr)
            raise

    return run_on_reactor(interruptible)


def _status(results: Sequence[Result], strict: bool) -> int:
    bad = {Verdict.FAIL, Verdict.WARN} if strict else {Verdict.FAIL}
    if any(result.verdict in bad for result in results):
        return 1
    if all(result.verdict is Verdict.SKIP for result in results):
        return UNUSABLE
    return 0


def write(path: str, text: str) -> None:
    """Write a report; ``-`` is standard output."""
    if path == "-":
        sys.stdout.write(text)
    else:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
