"""``twistdp fake``: lay a recording out as a tree, to try a plugin without its hardware."""

import os

import click

from twistdp.cli.completing import directories, files
from twistdp.errors import BadSetting
from twistdp.recording import lay_out, plug, read_recording, unplug


@click.command
@click.argument(
    "recording",
    metavar="RECORDING",
    help="A file of twistdp record or umockdev.",
    shell_complete=files,
)
@click.argument(
    "directory",
    metavar="DIR",
    help="A new directory for sys, dev and run.",
    shell_complete=directories,
)
@click.option(
    "unplugged",
    "--unplug",
    metavar="PATH",
    help="Take a device and all below it out of DIR; PATH is /devices/... or /dev/...",
)
@click.option("plugged", "--plug", metavar="PATH", help="Put it back.")
def command(recording: str, directory: str, unplugged: str | None, plugged: str | None) -> int:
    """Lay a recording of devices out as a tree, and plug or unplug them.

    For root, nodes are real ones, like /dev/null.
    """
    if unplugged and plugged:
        raise click.UsageError("--unplug and --plug exclude each other; give one of them")
    devices = read_recording(recording)
    null_nodes = os.geteuid() == 0
    try:
        if unplugged:
            unplug(devices, directory, unplugged)
        elif plugged:
            plug(devices, directory, plugged, null_nodes=null_nodes)
        else:
            lay_out(devices, directory, null_nodes=null_nodes)
    except OSError as error:
        raise BadSetting(
            f"cannot change {error.filename or directory}: {error.strerror}; give another directory"
        ) from None
    return 0
