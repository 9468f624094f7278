"""``twistdp manifests``: print what Kubernetes needs to run a plugin on every node."""

import argparse
import os
import sys
from pathlib import Path

from twistdp._version import __version__
from twistdp.catalog import load
from twistdp.cli.options import Given, read
from twistdp.config import BadConfig, Config, Resource
from twistdp.config import read as content_of
from twistdp.deployment import CONFIG_DIRECTORY, SELINUX_TYPE, DaemonSet, render_manifests
from twistdp.errors import BadSetting, BadSettings
from twistdp.model import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.usage = "twistdp manifests [options] -- [options of twistd deviceplugin]"
    parser.add_argument(
        "--image",
        default=f"twistdp:{__version__.public()}",
        help="the image to run; default: %(default)s",
    )
    parser.add_argument(
        "--name",
        default="twistdp",
        help="the name of the DaemonSet and of its other objects; default: %(default)s",
    )
    parser.add_argument(
        "--namespace",
        default="twistdp",
        help="their namespace, which the manifests make unless every cluster has it; default: "
        "%(default)s",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="a configuration file, to put into a ConfigMap; the plugin follows its changes",
    )
    parser.add_argument(
        "--scanner-file", metavar="FILE", help="a module with a scanner, to put into a ConfigMap"
    )
    parser.add_argument(
        "--host-path",
        metavar="DIR",
        action="append",
        help="a directory that the plugin reads, mounted read-only; may be repeated; "
        "default: /dev, for a configuration and the catalogue /run/udev too",
    )
    parser.add_argument(
        "--cdi",
        action="store_true",
        help="the scanner uses CDI: mount the directory of specs and the kubelet's pod-resources",
    )
    parser.add_argument(
        "--selinux", action="store_true", help=f"run the container as SELinux type {SELINUX_TYPE}"
    )
    parser.add_argument(
        "--openshift",
        action="store_true",
        help="add the SecurityContextConstraints that OpenShift needs; includes --selinux",
    )
    parser.add_argument(
        "options", nargs="*", metavar="OPTION", help="an option of 'twistd deviceplugin'"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the manifests; 1, with a line for each problem, if they cannot be."""
    try:
        plugin = _plugin(arguments)
    except BadSettings as error:
        for line in error.lines:
            print(f"twistdp manifests: {printable(line)}", file=sys.stderr)
        return 1
    print(render_manifests(plugin), end="")
    return 0


def _plugin(arguments: argparse.Namespace) -> DaemonSet:
    path, options = arguments.config, arguments.options
    config = text = None
    if path is not None:
        text, config = _read(path)
        options = [f"--config={CONFIG_DIRECTORY}/{os.path.basename(path)}", *options]
    given = read(options)
    host_paths = arguments.host_path or _host_paths(given, config)
    _check(given, config, host_paths)
    return DaemonSet(
        options=options,
        settings=given.settings,
        image=arguments.image,
        name=arguments.name,
        namespace=arguments.namespace,
        scanner_file=arguments.scanner_file,
        config=(path, text) if text is not None else None,
        host_paths=host_paths,
        cdi=arguments.cdi or _uses_cdi(config),
        selinux=arguments.selinux,
        openshift=arguments.openshift,
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


def _host_paths(given: Given, config: Config | None) -> list[str]:
    """The directories of the node that a plugin needs, if nobody says which."""
    found = ["/dev"]
    if given.configs or given.uses_catalog:
        found.append("/run/udev")  # udev's data base
    if config is not None and any(map(_has_interfaces, config.resources.values())):
        found.append("/sys")  # the container's own shows the container's interfaces only
    return found


def _has_interfaces(resource: Resource) -> bool:
    """Whether a resource selects network interfaces, as a device or as a part of one."""
    matches = (*resource.alternatives, *(member.where for member in resource.members))
    kinds = (resource.as_, *(member.as_ for member in resource.members))
    return "net" in kinds or any("net" in match.subsystem for match in matches)


def _check(given: Given, config: Config | None, host_paths: list[str]) -> None:
    """Raise `BadSetting` for a configuration file that the container would not have."""
    for path in given.configs[config is not None :]:
        if not any(path.startswith(f"{each.rstrip('/')}/") for each in host_paths):
            raise BadSetting(
                f"--config {path}: the container has no such file; give it before the --, and it "
                "goes into a ConfigMap"
            )


def _uses_cdi(config: Config | None) -> bool:
    return config is not None and any(each.cdi is not None for each in config.resources.values())
