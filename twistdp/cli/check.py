"""``twistdp check``: what a plugin's project lacks."""

import argparse
import sys

from twistdp.errors import BadSetting
from twistdp.scaffold.checklist import Verdict, verdicts
from twistdp.scaffold.running import TARGETS, outcome
from twistdp.scaffold.tree import read


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
        tree = read(arguments.directory)
    except BadSetting as error:
        print(f"twistdp check: {error}", file=sys.stderr)
        return 1
    bad = 0

    def tell(verdict: Verdict, otherwise: str) -> None:
        nonlocal bad
        bad += not verdict.good
        word = "ok" if verdict.good else otherwise
        print(f"{word:<8} {verdict.name:<16} {verdict.line}", flush=True)

    for verdict in verdicts(tree):
        tell(verdict, "missing")
    if arguments.run:
        for target in TARGETS:
            tell(outcome(tree, target), "failed")
    verb = "wants" if bad == 1 else "want"
    print(f"\n{bad} of the items above {verb} mending" if bad else "\nall is there")
    return 1 if bad else 0
