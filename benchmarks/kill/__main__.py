"""``python -m benchmarks.kill``: kill, report, and exit with 1 if anything was wrong."""

import argparse
import random
import statistics
import sys
from typing import Any

from benchmarks.kill.killing import Killing
from twistdp.cli.running import run_on_reactor


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="kill", description=__doc__)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")

    async def run(reactor: Any) -> int:
        outcome = await Killing(reactor, random.Random(arguments.seed)).run(arguments.times)
        for moment, number in outcome.killed.items():
            print(f"  killed while {moment:14}{number:6}")
        print(
            f"  registered again, with the true list: median {statistics.median(outcome.again):.3f}"
            f" s, worst {max(outcome.again):.3f} s from the start of the process"
        )
        print(f"  killed in the middle of writing a CDI spec: {outcome.halfway} times")
        print(f"  CDI specs read meanwhile: {outcome.reads}")
        for problem in outcome.problems:
            print(f"  WRONG: {problem}")
        print("FAILED" if outcome.problems else "passed")
        return 1 if outcome.problems else 0

    return run_on_reactor(run)


if __name__ == "__main__":
    sys.exit(main())
