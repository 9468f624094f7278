"""The ``twistdp`` command."""

import argparse
import sys
from collections.abc import Sequence

from twistdp._version import __version__

COMMANDS = {
    "check": "say what a plugin's project lacks of what it should have",
    "conformance": "put a device plugin of any kind to the test",
    "demo": "show a plugin's whole life on this machine, in a few seconds",
    "kubelet": "run an emulated kubelet to try plugins against",
    "new": "make a plugin project of your own",
    "systemd-unit": "print a systemd unit for a plugin",
    "manifests": "print the manifests that run a plugin on every node",
}
"""Each is a module here, with ``_`` for ``-``, that has ``add_arguments(parser)`` and
``run(arguments) -> int``."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="twistdp",
        description="Tools for Kubernetes device plugins. The service itself is "
        "'twistd deviceplugin'.",
    )
    parser.add_argument("--version", action="version", version=f"twistdp {__version__.public()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    wanted = sys.argv[1:] if argv is None else argv
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
        if name in wanted:  # the others are not imported: gRPC alone takes a fifth of a second
            _module(name).add_arguments(command)
    arguments = parser.parse_args(wanted)
    return int(_module(arguments.command).run(arguments))


def _module(name: str):  # type: ignore[no-untyped-def]  # a module, whose functions mypy cannot know
    from importlib import import_module

    return import_module(f"twistdp.cli.{name.replace('-', '_')}")
