"""``twistdp check``: report what a plugin's project lacks."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from twistdp.cli.completing import directories
from twistdp.cli.terminal import Busy
from twistdp.errors import BadSetting
from twistdp.model import printable
from twistdp.scaffold import TARGETS, Finding, findings, outcome, read

SECONDS = 20.0
"""Seconds for looking at the files."""


@click.command(epilog="Exit status: 0 if nothing is missing, 1 if something is missing or fails.")
@click.argument("directory", metavar="DIR", help="The project.", shell_complete=directories)
@click.option(
    "--run",
    is_flag=True,
    help="Also run its tests, lint, types and the conformance suite, by the targets "
    f"{', '.join(TARGETS)} of its Makefile, or the usual commands.",
)
def command(directory: str, run: bool) -> int:
    """Report what a plugin's project lacks, each item as soon as it is known."""
    try:
        with _at_most(SECONDS, directory):
            tree = read(directory)
            found = findings(tree)
    except (BadSetting, TimeoutError) as error:
        print(f"twistdp check: {printable(str(error))}", file=sys.stderr)
        return 1
    bad = 0

    def show(finding: Finding, otherwise: str) -> None:
        nonlocal bad
        bad += not finding.good
        word = "ok" if finding.good else otherwise
        line = "\n".join(map(printable, finding.line.split("\n")))
        print(f"{word:<8} {finding.name:<16} {line}", flush=True)

    for finding in found:
        show(finding, "missing")
    if run:
        for target in TARGETS:
            with Busy(f"running {target}"):
                ended = outcome(tree, target)
            show(ended, "failed")
    verb = "needs" if bad == 1 else "need"
    print(f"\n{bad} of the items above {verb} a fix" if bad else "\nnothing is missing")
    return 1 if bad else 0


@contextmanager
def _at_most(seconds: float, directory: str) -> Iterator[None]:
    """Raise TimeoutError if the block takes longer, even inside a regular expression."""

    def end(*_: object) -> None:
        raise TimeoutError(
            f"{directory}: looking at its files takes more than {seconds:g} s; give the "
            "directory of one project"
        )

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
