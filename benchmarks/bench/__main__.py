"""``python -m benchmarks.bench``: measure, and write a table, JSON and a picture."""

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version

from benchmarks.bench import allocating, asked, declared, following, holding, starting
from benchmarks.bench.base import checked_out
from benchmarks.bench.contenders import ROOT, Contender, floors, other, plain, twistdp
from benchmarks.bench.record import Record
from benchmarks.bench.report import markdown, table, to_json
from benchmarks.bench.stage import Bench, NotReady, warm_up

SCENARIOS: Mapping[str, Callable[[Bench], Awaitable[None]]] = {
    "start": starting.start,
    "hotplug": following.hotplug,
    "restart": starting.restart,
    "storm": following.storm,
    "edge": following.edge,
    "allocate": allocating.allocate,
    "resources": starting.resources,
    "hold": holding.hold,
    "declared": declared.declared,
    "http": asked.asked,
}


async def measure(
    bench: Bench, only: Sequence[str], tell: Callable[[str], None] = lambda line: None
) -> Record:
    """Run the scenarios of these names; `tell` is called with a line after each."""
    record = bench.record
    record.about["measured"] = (
        f"{time.strftime('%Y-%m-%d %H:%M')}, commit {_commit()}, Python "
        f"{platform.python_version()}, grpcio {version('grpcio')}, Twisted {version('Twisted')}"
    )
    record.about["machine"] = f"{platform.machine()}, {os.cpu_count()} cores"
    record.about["load average before"] = f"{os.getloadavg()[0]:.1f}"
    for contender in bench.contenders:
        await warm_up(contender)
    for name in only:
        begin = time.perf_counter()
        await SCENARIOS[name](bench)
        tell(f"{name}: {time.perf_counter() - begin:.0f} s")
    record.about["load average after"] = f"{os.getloadavg()[0]:.1f}"
    return record


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    names = ",".join(SCENARIOS)
    parser.add_argument("--only", default=names, help=f"some of {names}")
    parser.add_argument("--quick", action="store_true", help="small sizes, few repetitions")
    parser.add_argument("--repeats", type=float, default=1.0, help="times the usual repetitions")
    parser.add_argument("--base", default="", help="an earlier commit to compare with")
    parser.add_argument(
        "--plugin",
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="one more plugin, whose devices are the files of {devices}, at {plugins}/kubelet.sock",
    )
    parser.add_argument("--output", default="bench", help="the files are this, .json, .md, .svg")
    arguments = parser.parse_args()
    only = arguments.only.split(",")
    if unknown := [name for name in only if name not in SCENARIOS]:
        parser.error(f"--only {unknown[0]}: there is only {names}")
    with ExitStack() as stack:
        contenders: list[Contender] = [twistdp(), plain(), *floors()]
        try:
            if arguments.base:
                source = stack.enter_context(checked_out(arguments.base))
                contenders.insert(1, twistdp(f"base {arguments.base}", source))
            contenders += [other(text) for text in arguments.plugin]
        except ValueError as error:
            parser.error(str(error))
        bench = Bench(contenders, Record(), arguments.repeats, arguments.quick)
        try:
            record = asyncio.run(measure(bench, only, _tell))
        except NotReady as error:
            print(error, file=sys.stderr)
            return 1
    for suffix, text in (("json", to_json(record)), ("md", markdown(record))):
        with open(f"{arguments.output}.{suffix}", "w", encoding="utf-8") as file:
            file.write(text)
    from benchmarks.bench.plot import plot

    plot(record, f"{arguments.output}.svg")
    print(table(record))
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _commit() -> str:
    git = ["git", "-C", ROOT, "describe", "--always", "--dirty"]
    return subprocess.run(git, capture_output=True, check=False, text=True).stdout.strip() or "?"


if __name__ == "__main__":
    sys.exit(main())
