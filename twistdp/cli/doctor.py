"""``twistdp doctor``: find what keeps device plugins, or pods with devices, from working."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs
import click

from twistdp.cli.asking import NoAnswer, state_of
from twistdp.cli.completing import directories
from twistdp.cli.terminal import Busy, console
from twistdp.doctor import CHECKS, Finding, Host, Severity, examine, version_text
from twistdp.errors import BadSetting
from twistdp.model import printable

STATUSES: Final = {Severity.OK: 0, Severity.INFO: 0, Severity.WARNING: 1, Severity.ERROR: 3}
"""Exit statuses; 2 is that of a wrong command line."""

_STYLES: Final = {
    Severity.OK: "green",
    Severity.INFO: "cyan",
    Severity.WARNING: "yellow",
    Severity.ERROR: "bold red",
}
_WIDTHS: Final = (9, 17)
"""Widths of the first columns, in characters."""


@click.command(
    epilog="Exit status: 0 if nothing is wrong, 1 if there are warnings, 3 if there are errors."
)
@click.option(
    "--root",
    default="/",
    metavar="DIR",
    help="Examine the host whose root directory is mounted here.",
    shell_complete=directories,
)
@click.option("as_json", "--json", is_flag=True, help="Print JSON.")
def command(root: str, as_json: bool) -> int:
    """Find out what keeps device plugins, or pods that ask for devices, from working on a node.

    Changes nothing.  Each finding says what was found, what it means, and what to do.
    """
    if not os.path.isdir(root):
        raise BadSetting(f"--root {root}: there is no such directory")
    host = Host(root, ask=_ask)
    if host.is_this:
        host = attrs.evolve(host, version=version_text)
    people = None if as_json else console()
    found = []
    with Busy("examining this host", len(CHECKS)) as busy:
        seen = 0
        for each in examine(host):
            found.append(each)
            while [*CHECKS][seen] != each.check:
                seen += 1
                busy.advance()
            if not as_json:
                with busy.hidden():
                    _show(each, people)
    if as_json:
        print(json.dumps(_plain(root, found), indent=2))
    else:
        print(f"\n{_summary(found)}")
    return STATUSES[max((each.severity for each in found), default=Severity.OK)]


def _ask(path: str) -> dict[str, Any]:
    try:
        return state_of(path)
    except NoAnswer as error:
        raise OSError(str(error)) from error


def _show(finding: Finding, people: Any) -> None:
    word, check = finding.severity.word, finding.check
    if people is not None:
        from twistdp.cli.drawing import columns, text

        style = _STYLES[finding.severity]
        cells = text(word, style=style), text(check), text(finding.found, *_rest(finding))
        people.print(columns(_WIDTHS, cells))
        return
    print(printable(f"{word:<{_WIDTHS[0]}}{check:<{_WIDTHS[1]}}{finding.found}"))
    for line in _rest(finding):
        print(printable(f"{' ' * _WIDTHS[0]}{line}"))
    sys.stdout.flush()


def _rest(finding: Finding) -> Iterator[str]:
    if finding.meaning:
        yield f"this means: {finding.meaning}"
    if finding.remedy:
        yield f"to do: {finding.remedy}"


def _summary(found: Sequence[Finding]) -> str:
    parts = []
    for severity in (Severity.ERROR, Severity.WARNING):
        count = sum(each.severity == severity for each in found)
        if count:
            parts.append(f"{count} {severity.word}{'s' if count > 1 else ''}")
    return " and ".join(parts) or "nothing is wrong"


def _plain(root: str, found: Sequence[Finding]) -> dict[str, Any]:
    worst = max((each.severity for each in found), default=Severity.OK)
    return {
        "root": root,
        "worst": worst.word,
        "findings": [
            {
                "check": each.check,
                "severity": each.severity.word,
                "found": each.found,
                "meaning": each.meaning,
                "remedy": each.remedy,
            }
            for each in found
        ],
    }
