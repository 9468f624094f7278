"""``twistdp systemd-unit``: print a unit for systemd, for one command line or as a template."""

import argparse
import os
import sys

from twistdp.cli.options import read
from twistdp.deployment import hidden_by, render_unit
from twistdp.errors import BadSetting
from twistdp.model import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.usage = "twistdp systemd-unit [options] [-- OPTION ...]"
    parser.add_argument(
        "options",
        nargs="*",
        metavar="OPTION",
        help="an option of 'twistd deviceplugin'; without any the unit is the template "
        "twistdp@.service, whose instances read theirs from /etc/twistdp/INSTANCE.env",
    )
    parser.add_argument(
        "--twistd",
        metavar="PATH",
        default=os.path.join(os.path.dirname(sys.executable), "twistd"),
        help="the twistd to run; default: the one of this installation",
    )
    parser.add_argument(
        "--python-path",
        metavar="DIR",
        help="the directory of a scanner's module, if Python would not find it; separate several "
        "with ':'",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the unit."""
    if not os.path.isabs(arguments.twistd):
        raise BadSetting(f"--twistd {arguments.twistd!r}: give the absolute path of the program")
    given = read(arguments.options) if arguments.options else None
    text = render_unit(
        arguments.twistd,
        arguments.options,
        given.settings if given is not None else None,
        arguments.python_path,
        given.configs if given is not None else (),
    )
    print(text, end="")
    if place := hidden_by(os.path.normpath(arguments.twistd)):
        # No error: many checkouts are in such a place, and people print units to read them.
        print(
            f"twistdp systemd-unit: warning: --twistd {printable(arguments.twistd)}: the unit's "
            f"sandbox hides {place}, so the plugin would not start; install twistdp elsewhere, "
            "such as in /opt/twistdp",
            file=sys.stderr,
        )
    return 0
