"""``twistdp manifests``: print what Kubernetes needs to run a plugin on every node."""

import argparse

from twistdp._version import __version__
from twistdp.cli.options import settings_of
from twistdp.deployment import SELINUX_TYPE, DaemonSet, render_manifests


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
        "--scanner-file", metavar="FILE", help="a module with a scanner, to put into a ConfigMap"
    )
    parser.add_argument(
        "--host-path",
        metavar="DIR",
        action="append",
        help="a directory that the scanner reads, mounted read-only; may be repeated; "
        "default: /dev",
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
    """Print the manifests."""
    plugin = DaemonSet(
        options=arguments.options,
        settings=settings_of(arguments.options),
        image=arguments.image,
        name=arguments.name,
        namespace=arguments.namespace,
        scanner_file=arguments.scanner_file,
        host_paths=arguments.host_path or ["/dev"],
        cdi=arguments.cdi,
        selinux=arguments.selinux,
        openshift=arguments.openshift,
    )
    print(render_manifests(plugin), end="")
    return 0
