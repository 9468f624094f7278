"""The suite again and again on plugins of three kinds: each verdict must be the same each time.

``python -m tests.conformance.repeat [TIMES]``, ten times by default, takes a minute for each run.
Exit status 1 when a verdict differs.
"""

import sys
from collections import Counter, defaultdict
from typing import Any

from tests.conformance.plans import late_plan, own_plan, plain_plan
from twistdp.cli.running import run_on_reactor
from twistdp.conformance.catalog import CHECKS
from twistdp.conformance.suite import look, run

AT_ONCE = 5
PLANS = {
    "ours": own_plan("socket"),
    "lists nothing first, socket named by the second": late_plan(12.0),
    "examples/plain_grpcio.py": plain_plan(),
}


def told(text: str) -> None:
    """Write a line now."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def main(reactor: Any) -> int:
    """Run all, in turns, and compare."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    verdicts: dict[str, dict[str, Counter[str]]] = {name: defaultdict(Counter) for name in PLANS}
    for number in range(1, times + 1):
        for name, plan in PLANS.items():
            found = await look(plan, reactor)
            for result in await run(plan, CHECKS, found, reactor=reactor, jobs=AT_ONCE):
                verdicts[name][result.check.id][result.verdict.value] += 1
            told(f"{number} of {times}: {name}")
    differing = 0
    for name, of_checks in verdicts.items():
        odd = {id_: dict(counts) for id_, counts in of_checks.items() if len(counts) > 1}
        differing += len(odd)
        alike = Counter(next(iter(counts)) for counts in of_checks.values() if len(counts) == 1)
        told(f"{name}: {dict(alike)} each time; differing: {odd or 'none'}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(run_on_reactor(main))
