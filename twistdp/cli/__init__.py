"""The ``twistdp`` command."""

import argparse
import errno
import os
import signal
import sys
from collections.abc import Sequence

from twistdp._version import __version__
from twistdp.errors import TwistdpError
from twistdp.model import printable
from twistdp.tools import meant

COMMANDS = {
    "catalog": "list the devices that need no configuration, or show an entry",
    "check": "report what a plugin's project lacks",
    "config": "check a configuration file, show its meaning, or print its JSON Schema",
    "conformance": "test a device plugin of any kind",
    "demo": "show a plugin's whole life on this machine in a few seconds",
    "explain": "report why a device is listed, or which test leaves it out",
    "fake": "lay a recording of devices out as a tree, and plug or unplug them",
    "kubelet": "run an emulated kubelet to try plugins with",
    "new": "make a new plugin project",
    "record": "write this host's devices to a file, for a bug report or a test",
    "scan": "print what a plugin would advertise on this host, and what it leaves out",
    "systemd-unit": "print a systemd unit for a plugin",
    "manifests": "print the manifests that run a plugin on every node",
}
"""Each is a module of this package, with ``_`` for ``-``, with ``add_arguments(parser)`` and
``run(arguments) -> int``."""

_UNWRITABLE = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EIO)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    A `TwistdpError` is printed in one line.  Raises SystemExit for a wrong command line, and for
    output that cannot be written.  A reader that has read enough, as ``head``, is no error to
    report: the status alone says so, as it does of a process that SIGPIPE ends.
    """
    try:
        try:
            return _run(sys.argv[1:] if argv is None else argv)
        finally:
            if sys.stdout is not None:  # None if it was closed before the process began
                sys.stdout.flush()
    except OSError as error:
        # The error of a print names no file.
        if error.filename is not None or error.errno not in _UNWRITABLE:
            raise
        # Python writes the rest again when it ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        if error.errno == errno.EPIPE:
            raise SystemExit(128 + signal.SIGPIPE) from error
        raise SystemExit(
            f"twistdp: writing to standard output: {error.strerror}: the output is incomplete; "
            "send it to a place with room"
        ) from error


def _run(wanted: Sequence[str]) -> int:
    # An abbreviated option of ours is more likely a plugin's option without the -- before it.
    parser = argparse.ArgumentParser(
        prog="twistdp",
        description="Tools for Kubernetes device plugins. The service itself is "
        "'twistd deviceplugin'.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"twistdp {__version__.public()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parsers = {}
    for name, summary in COMMANDS.items():
        parsers[name] = command = commands.add_parser(
            name, help=summary, description=f"{summary.capitalize()}.", allow_abbrev=False
        )
        if name in wanted:  # do not import the others: gRPC alone takes a fifth of a second
            _module(name).add_arguments(command)
    arguments, unknown = parser.parse_known_args(wanted)
    name = arguments.command
    if unknown:
        hint = meant(unknown[0].partition("=")[0], parsers[name]._option_string_actions)
        hint += "; the plugin's own options go after --" if "options" in arguments else ""
        parsers[name].error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    try:
        return int(_module(name).run(arguments))
    except TwistdpError as error:
        print(f"twistdp {name}: {printable(str(error))}", file=sys.stderr)
        return 1


def _module(name: str):  # type: ignore[no-untyped-def]  # a module, whose functions mypy cannot know
    from importlib import import_module

    return import_module(f"twistdp.cli.{name.replace('-', '_')}")
