"""The tests, in several processes at a time: ``python -m tests [-j JOBS] [NAME ...]``.

Each package of tests is one run of trial, and so is each module that takes long; those start
first.  `MATRIX` runs only by its name.  trial's own ``--jobs`` does not work here: its
workers send results and logs through one pipe.  Tests that log from threads break it, and then
every test that is left for such a worker fails.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]

LONG = (
    "tests.matrix.test_points",
    "tests.matrix.test_own",
    "tests.matrix.test_bugs",
    "tests.matrix.test_contrast",
    "tests.faults.test_schedules",
    "tests.docs.test_pages",
    "tests.operator.test_election",
    "tests.cli.test_conformance",
    "tests.integration.test_exhaustion",
    "tests.integration.test_life",
    "tests.integration.test_children",
    "tests.conformance.test_own",
    "tests.cli.test_kubelet",
    "tests.host.test_topology",
    "tests.conformance.test_chance",
    "tests.faults.test_rounds",
    "tests.fuzz.test_directories",
    "tests.benchmarks.test_soak",
)
"""The modules that take longest, the longest first."""

MATRIX = ("tests.matrix", "tests.fuzz", "tests.docs.test_pages")
"""What is run only by its name, or with ``--matrix``: it is generated, or takes minutes."""

BAD = ("failures", "errors", "unexpectedSuccesses")


class Run(NamedTuple):
    """What came of one run of trial."""

    names: list[str]
    seconds: float
    output: str
    counts: Counter[str]
    """How many tests there were of each kind, as trial names it: ``successes``, ``skips``."""

    @property
    def passed(self) -> bool:
        """Whether tests ran, and all of them passed."""
        return bool(self.counts) and not any(self.counts[kind] for kind in BAD)


def modules(name: str) -> Iterator[str]:
    """The modules of tests in a package; the name of anything else stands for itself."""
    directory = ROOT.joinpath(*name.split("."))
    if not directory.is_dir():
        yield name
    for path in sorted(directory.rglob("test_*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if name.startswith(MATRIX) or not _is_of(module, MATRIX):
            yield module


def _is_of(module: str, names: Iterable[str]) -> bool:
    return any(f"{module}.".startswith(f"{name}.") for name in names)


def portions(names: Iterable[str]) -> list[list[str]]:
    """What is run by one process each, in the order in which they start."""
    rest: dict[str, list[str]] = {}
    for module in (module for name in names for module in modules(name)):
        key = module if module in LONG else module.rpartition(".")[0]
        rest.setdefault(key, []).append(module)
    first = [rest.pop(name) for name in LONG if name in rest]
    return first + sorted(rest.values(), key=len, reverse=True)


def trial(names: list[str]) -> Run:
    """Run these tests."""
    directory = ROOT / ".cache" / "trial" / names[0]
    directory.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "twisted.trial", "--reactor=asyncio"]
    began = time.monotonic()
    done = subprocess.run(
        [*command, f"--temp-directory={directory}", *names],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        cwd=ROOT,
    )
    output = done.stdout.decode(errors="replace")
    counts = counted(output)
    if done.returncode and not any(counts[kind] for kind in BAD):
        counts["errors"] = 1  # trial itself ended
    return Run(names, time.monotonic() - began, output, counts)


def counted(output: str) -> Counter[str]:
    """The numbers of trial's last line, as of ``PASSED (skips=9, successes=53)``."""
    summaries = re.findall(r"^(?:PASSED|FAILED) \((.*)\)$", output, re.MULTILINE)
    numbers = re.findall(r"(\w+)=(\d+)", summaries[-1]) if summaries else []
    return Counter({kind: int(number) for kind, number in numbers})


def main() -> int:
    """Run the tests, print what each process printed, and last the sum."""
    parser = argparse.ArgumentParser(prog="python -m tests", description="Run the tests.")
    parser.add_argument("-j", "--jobs", type=int, default=2 * (os.cpu_count() or 1))
    parser.add_argument("--matrix", action="store_true", help="what runs only by its name")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    names = [*(MATRIX if options.matrix else ()), *options.names] or ["tests"]
    total: Counter[str] = Counter()
    failed = []
    with ThreadPoolExecutor(options.jobs) as threads:
        for future in as_completed([threads.submit(trial, part) for part in portions(names)]):
            run = future.result()
            total += run.counts
            if not run.passed:
                failed.append(run)
            print(f"{run.output}{run.names[0]}: {run.seconds:.1f} s\n", flush=True)
    for run in failed if len(failed) < 9 else []:
        print(f"{run.output}\nThis was {' '.join(run.names)}\n")
    print(f"Ran {sum(total.values())} tests in all")
    counts = ", ".join(f"{kind}={number}" for kind, number in sorted(total.items()))
    print(f"{'FAILED' if failed else 'PASSED'} ({counts})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
