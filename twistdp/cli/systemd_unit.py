"""``twistdp systemd-unit``: print a unit for systemd, for one command line or as a template."""

import os
import sys

import click

from twistdp.cli.completing import directories, files
from twistdp.cli.options import read
from twistdp.deployment import hidden_by, render_unit, unreachable
from twistdp.errors import BadSetting
from twistdp.model import printable


@click.command
@click.argument(
    "options",
    nargs=-1,
    metavar="[-- OPTION...]",
    help="An option of 'twistd deviceplugin'; without any the unit is the template "
    "twistdp@.service, whose instances read theirs from /etc/twistdp/INSTANCE.env.",
)
@click.option(
    "--twistd",
    metavar="PATH",
    default=os.path.join(os.path.dirname(sys.executable), "twistd"),
    help="The twistd to run; default: the one of this installation.",
    shell_complete=files,
)
@click.option(
    "--python-path",
    metavar="DIR",
    help="The directory of a scanner's module, if Python would not find it; separate several "
    "with ':'.",
    shell_complete=directories,
)
def command(options: tuple[str, ...], twistd: str, python_path: str | None) -> int:
    """Print a systemd unit for a plugin."""
    if not os.path.isabs(twistd):
        raise BadSetting(f"--twistd {twistd!r}: give the absolute path of the program")
    given = read(options) if options else None
    text = render_unit(
        twistd,
        options,
        given.settings if given is not None else None,
        python_path,
        given.configs if given is not None else (),
    )
    print(text, end="", flush=True)
    if place := hidden_by(os.path.normpath(twistd)):
        # No error: many checkouts are in such a place, and people print units to read them.
        _warn(
            f"--twistd {twistd}: the unit's sandbox hides {place}, so the plugin would not start; "
            "install twistdp elsewhere, such as in /opt/twistdp"
        )
    elif (python := _python_of(twistd)) and (place := hidden_by(python)):
        _warn(
            f"--twistd {twistd}: its Python is {python}, and the unit's sandbox hides {place}, so "
            "the plugin would not start; install twistdp with another Python, such as "
            "/usr/bin/python3"
        )
    if given is not None:
        for line in unreachable(given.http, given.sockets):
            _warn(line)
    return 0


def _python_of(twistd: str) -> str | None:
    """Return the Python that the script's first line names, without links, or None."""
    try:
        with open(twistd, "rb") as file:
            first = file.readline(4096)
    except OSError:
        return None
    words = first.removeprefix(b"#!").split()
    return os.path.realpath(os.fsdecode(words[0])) if first.startswith(b"#!") and words else None


def _warn(text: str) -> None:
    print(f"twistdp systemd-unit: warning: {printable(text)}", file=sys.stderr)
