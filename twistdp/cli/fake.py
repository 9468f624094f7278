"""``twistdp fake``: lay a recording out as a tree, to try a plugin without its hardware."""

import argparse
import os

from twistdp.errors import BadSetting
from twistdp.recording import lay_out, plug, read_recording, unplug


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command's arguments."""
    parser.add_argument(
        "recording", metavar="RECORDING", help="a file of twistdp record or umockdev"
    )
    parser.add_argument("directory", metavar="DIR", help="a new directory for sys, dev and run")
    change = parser.add_mutually_exclusive_group()
    change.add_argument(
        "--unplug",
        metavar="PATH",
        help="take a device and all below it out of DIR; PATH is /devices/... or /dev/...",
    )
    change.add_argument("--plug", metavar="PATH", help="put it back")


def run(arguments: argparse.Namespace) -> int:
    """Lay it out, or change what is laid out; nodes are real ones, like /dev/null, for root."""
    devices = read_recording(arguments.recording)
    directory, null_nodes = arguments.directory, os.geteuid() == 0
    try:
        if arguments.unplug:
            unplug(devices, directory, arguments.unplug)
        elif arguments.plug:
            plug(devices, directory, arguments.plug, null_nodes=null_nodes)
        else:
            lay_out(devices, directory, null_nodes=null_nodes)
    except OSError as error:
        raise BadSetting(
            f"cannot change {error.filename or directory}: {error.strerror}; give another directory"
        ) from None
    return 0
