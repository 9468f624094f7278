"""``twistdp systemd-unit``: a unit for systemd, for a command line or as a template of many."""

import argparse
import os
import sys

from twistdp.cli.options import settings_of
from twistdp.deployment.unit import unit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.usage = "twistdp systemd-unit [options] [-- OPTION ...]"
    parser.add_argument(
        "options",
        nargs="*",
        metavar="OPTION",
        help="what follows 'twistd deviceplugin'; without any it is the template twistdp@.service, "
        "whose instances have theirs in /etc/twistdp/INSTANCE.env",
    )
    parser.add_argument(
        "--twistd",
        metavar="PATH",
        default=os.path.join(os.path.dirname(sys.executable), "twistd"),
        help="the twistd to run; default: the one of this installation",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the unit."""
    settings = settings_of(arguments.options) if arguments.options else None
    if not os.path.isabs(arguments.twistd):
        print(
            f"twistdp systemd-unit: --twistd {arguments.twistd}: give an absolute path",
            file=sys.stderr,
        )
        return 1
    sys.stdout.write(unit(arguments.twistd, arguments.options, settings))
    return 0
