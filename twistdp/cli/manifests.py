"""``twistdp manifests``: print what Kubernetes needs to run a plugin on every node."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from twistdp._version import __version__
from twistdp.catalog import load
from twistdp.cli.completing import directories, files
from twistdp.cli.options import Given, read
from twistdp.config import BadConfig, Config
from twistdp.config import read as content_of
from twistdp.deployment import CONFIG_DIRECTORY, SELINUX_TYPE, DaemonSet, needs, render_manifests
from twistdp.errors import BadSetting, BadSettings
from twistdp.model import printable


@click.command
@click.argument(
    "options",
    nargs=-1,
    metavar="[-- OPTION...]",
    help="An option of 'twistd deviceplugin'.",
)
@click.option(
    "--image",
    metavar="IMAGE",
    default=f"twistdp:{__version__.public()}",
    show_default=True,
    help="The image to run.",
)
@click.option(
    "--name",
    metavar="NAME",
    default="twistdp",
    show_default=True,
    help="The name of the DaemonSet and of its other objects.",
)
@click.option(
    "--namespace",
    metavar="NAME",
    default="twistdp",
    show_default=True,
    help="Their namespace, which the manifests make unless every cluster has it.",
)
@click.option(
    "--config",
    metavar="FILE",
    help="A configuration file, to put into a ConfigMap; the plugin follows its changes.",
    shell_complete=files,
)
@click.option(
    "--scanner-file",
    metavar="FILE",
    help="A module with a scanner, to put into a ConfigMap.",
    shell_complete=files,
)
@click.option(
    "host_paths",
    "--host-path",
    multiple=True,
    metavar="DIR",
    help="A directory that the plugin reads, mounted read-only; may be repeated; "
    "default: /dev, for a configuration and the catalogue /run/udev too.",
    shell_complete=directories,
)
@click.option(
    "--cdi",
    is_flag=True,
    help="The scanner uses CDI: mount the directory of specs.",
)
@click.option(
    "--http-port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Answer HTTP there at the pods' addresses, for Prometheus; the probes ask there too.",
)
@click.option("--selinux", is_flag=True, help=f"Run the container as SELinux type {SELINUX_TYPE}.")
@click.option(
    "--openshift",
    is_flag=True,
    help="Add the SecurityContextConstraints that OpenShift needs; includes --selinux.",
)
def command(**given: Any) -> int:
    """Print the manifests that run a plugin on every node."""
    try:
        plugin = _plugin(**given)
    except BadSettings as error:
        for line in error.lines:
            print(f"twistdp manifests: {printable(line)}", file=sys.stderr)
        return 1
    print(render_manifests(plugin), end="")
    return 0


def _plugin(
    *,
    options: Sequence[str],
    config: str | None,
    host_paths: Sequence[str],
    cdi: bool,
    selinux: bool,
    **more: Any,
) -> DaemonSet:
    """What is rendered; `more` are fields of it."""
    path, text, found = config, None, None
    if path is not None:
        text, found = _read(path)
        options = [f"--config={CONFIG_DIRECTORY}/{os.path.basename(path)}", *options]
    given = read(options)
    needed = needs(() if found is None else (found,), bool(given.configs or given.uses_catalog))
    host_paths = host_paths or needed.host_paths
    _check(given, found, host_paths)
    return DaemonSet(
        options=options,
        settings=given.settings,
        config=(path, text) if path is not None and text is not None else None,
        host_paths=host_paths,
        cdi=cdi or needed.cdi,
        selinux_type=SELINUX_TYPE if selinux else None,
        **more,
    )


def _read(path: str) -> tuple[str, Config]:
    """The text of a configuration file, which the plugin would accept; raises `BadSetting`."""
    content = content_of(Path(path))
    try:
        return content.decode(), load(content, path)
    except BadConfig as error:
        raise BadSettings([str(problem) for problem in error.problems]) from error
    except UnicodeDecodeError as error:
        raise BadSetting(
            f"--config {path}: a ConfigMap has UTF-8, and this is another encoding from byte "
            f"{error.start} on; convert it"
        ) from error


def _check(given: Given, config: Config | None, host_paths: Sequence[str]) -> None:
    """Raise `BadSetting` for a configuration file that the container would not have."""
    for path in given.configs[config is not None :]:
        if not any(path.startswith(f"{each.rstrip('/')}/") for each in host_paths):
            raise BadSetting(
                f"--config {path}: the container has no such file; give it before the --, and it "
                "goes into a ConfigMap"
            )
