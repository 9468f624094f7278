"""``python -m benchmarks.soak``: run, report, and exit with 1 if anything was wrong."""

import argparse
import sys
from typing import Any

from benchmarks.soak.plot import plot
from benchmarks.soak.report import save, summary, table
from twistdp.cli.running import run_on_reactor
from twistdp.testing import loopdevices


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--json", default="soak.json", help="where all figures are written")
    parser.add_argument("--plot", default="soak.svg", help="where they are drawn")
    parser.add_argument("--loops-from", type=int, default=64, help="first loop device to use")
    parser.add_argument("--pace", type=float, default=1.0, help="how many times as much happens")
    parser.add_argument("--keep", action="store_true", help="keep the plugin's log")
    arguments = parser.parse_args()
    loops_from = arguments.loops_from if loopdevices.usable() else None

    async def run(reactor: Any) -> int:
        from benchmarks.soak.workload import soak

        record = await soak(
            reactor,
            60 * arguments.minutes,
            loops_from,
            pace=arguments.pace,
            keep=arguments.keep,
        )
        figures = summary(record)
        save(record, figures, arguments.json)
        plot(record, arguments.plot)
        print(table(figures))
        return 1 if figures["complaints"] else 0

    return run_on_reactor(run)


if __name__ == "__main__":
    sys.exit(main())
