"""``twistdp check``: what a plugin's project lacks."""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from twistdp.errors import BadSetting
from twistdp.model import printable
from twistdp.scaffold import TARGETS, Verdict, outcome, read, verdicts

SECONDS = 20.0
"""How long the files may be looked through."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("directory", metavar="DIR", help="the project")
    parser.add_argument(
        "--run",
        action="store_true",
        help="also run its tests, lint, types and the conformance suite: the targets "
        f"{', '.join(TARGETS)} of its Makefile, or the usual commands",
    )
    parser.epilog = "Exit status: 0 when all is there, and 1 when something is missing or fails."


def run(arguments: argparse.Namespace) -> int:
    """Tell each item as soon as it is known."""
    try:
        with _at_most(SECONDS, arguments.directory):
            tree = read(arguments.directory)
            found = verdicts(tree)
    except (BadSetting, TimeoutError) as error:
        print(f"twistdp check: {printable(str(error))}", file=sys.stderr)
        return 1
    bad = 0

    def tell(verdict: Verdict, otherwise: str) -> None:
        nonlocal bad
        bad += not verdict.good
        word = "ok" if verdict.good else otherwise
        line = "\n".join(map(printable, verdict.line.split("\n")))
        print(f"{word:<8} {verdict.name:<16} {line}", flush=True)

    for verdict in found:
        tell(verdict, "missing")
    if arguments.run:
        for target in TARGETS:
            tell(outcome(tree, target), "failed")
    verb = "wants" if bad == 1 else "want"
    print(f"\n{bad} of the items above {verb} mending" if bad else "\nall is there")
    return 1 if bad else 0


@contextmanager
def _at_most(seconds: float, directory: str) -> Iterator[None]:
    """Raise TimeoutError in the block when it takes longer, an expression that is tried too."""

    def end(*_: object) -> None:
        raise TimeoutError(
            f"{directory}: its files take more than {seconds:g} s to look through; give the "
            "directory of one project"
        )

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
