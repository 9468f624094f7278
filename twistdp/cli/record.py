"""``twistdp record``: write this host's devices to a file, for a bug report or a test."""

import os
import sys

import click

from twistdp.cli.completing import directories, files
from twistdp.cli.terminal import Busy
from twistdp.errors import BadSetting
from twistdp.recording import anonymous, record, write
from twistdp.select import Host


@click.command
@click.argument(
    "path", metavar="FILE", help="A new file, or - for standard output.", shell_complete=files
)
@click.option(
    "nameless", "--anonymous", is_flag=True, help="Replace serial numbers and MAC addresses."
)
@click.option(
    "--root",
    default="/",
    show_default=True,
    metavar="DIR",
    help="Record the tree in this directory.",
    shell_complete=directories,
)
def command(path: str, nameless: bool, root: str) -> int:
    """Write this host's devices to a file, for a bug report or a test.

    A file that exists is not overwritten.
    """
    with Busy("reading the devices"):
        devices = record(Host(root))
        if not devices:
            raise BadSetting(
                f"there are no devices in {os.path.join(root, 'sys')}; give the directory that "
                "has the host's sys, dev and run"
            )
        text = write(anonymous(devices) if nameless else devices)
    if path == "-":
        print(text, end="")
        return 0
    try:
        # Serial numbers are not everybody's business.
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BadSetting(f"cannot make {path}: {error.strerror}; name a new file") from None
    with open(fd, "w", encoding="utf-8") as file:
        file.write(text)
    print(f"{path}: {len(devices)} device{'' if len(devices) == 1 else 's'}", file=sys.stderr)
    return 0
