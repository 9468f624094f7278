"""``twistdp record``: write this host's devices to a file, for a bug report or a test."""

import argparse
import os
import sys

from twistdp.errors import BadSetting
from twistdp.recording import anonymous, record, write
from twistdp.select import Host


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command's arguments."""
    parser.add_argument("file", metavar="FILE", help="a new file, or - for standard output")
    parser.add_argument(
        "--anonymous", action="store_true", help="replace serial numbers and MAC addresses"
    )
    parser.add_argument(
        "--root", default="/", metavar="DIR", help="record the tree in this directory (default: /)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Record; a file that exists is not overwritten."""
    devices = record(Host(arguments.root))
    if not devices:
        raise BadSetting(
            f"there are no devices in {os.path.join(arguments.root, 'sys')}; give the directory "
            "that has the host's sys, dev and run"
        )
    if arguments.anonymous:
        devices = anonymous(devices)
    text = write(devices)
    if arguments.file == "-":
        print(text, end="")
        return 0
    try:
        # Serial numbers are not everybody's business.
        fd = os.open(arguments.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BadSetting(
            f"cannot make {arguments.file}: {error.strerror}; name a new file"
        ) from None
    with open(fd, "w", encoding="utf-8") as file:
        file.write(text)
    print(f"{arguments.file}: {len(devices)} devices", file=sys.stderr)
    return 0
