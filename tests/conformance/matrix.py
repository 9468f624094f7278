"""Runs every broken plugin against every check: each must fail only its own check.

``python -m tests.conformance.matrix [BUG ...]`` takes half an hour for all; checks that depend
on the failed one are skipped by the suite.  Exit status 1 when another check fails too.
"""

import sys
from typing import Any

from tests.conformance.bugs import all_bugs
from tests.conformance.plans import plan_for
from twistdp.cli.running import run_on_reactor
from twistdp.conformance.catalog import CHECKS
from twistdp.conformance.checking import Verdict
from twistdp.conformance.suite import look, run

AT_ONCE = 4
PATIENCE = 12.0
"""Seconds; more than one check at a time makes everything slow."""


async def main(reactor: Any) -> int:
    """Run the whole suite on each bug."""
    wrong = 0
    bugs = [bug for bug in all_bugs() if bug.__name__ in sys.argv[1:] or not sys.argv[1:]]
    for bug in bugs:
        plan = plan_for(bug.__name__, bug.registry, PATIENCE)
        found = await look(plan, reactor)
        results = await run(plan, CHECKS, found, reactor=reactor, jobs=AT_ONCE)
        bad = {
            result.check.id: f"{result.verdict.value}: {result.reason}"
            for result in results
            if result.verdict in (Verdict.FAIL, Verdict.WARN)
        }
        expected = bad.pop(bug.check, "").startswith(bug.verdict)
        wrong += not expected or bool(bad)
        verdict = "as expected" if expected and not bad else "WRONG"
        sys.stdout.write(f"{bug.__name__} ({bug.check}): {verdict} {bad or ''}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(bugs) - wrong} of {len(bugs)} broken plugins as expected\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(run_on_reactor(main))
