"""``twistdp manifests``: what Kubernetes needs to run a plugin on every node."""

import argparse
import sys

from twistdp._version import __version__
from twistdp.cli.options import settings_of
from twistdp.deployment.manifests import SELINUX_TYPE, DaemonSet, manifests
from twistdp.errors import TwistdpError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.usage = "twistdp manifests [options] -- [options of twistd deviceplugin]"
    parser.add_argument("--image", default=f"twistdp:{__version__.public()}", help="%(default)s")
    parser.add_argument("--name", default="twistdp", help="of all that is made; %(default)s")
    parser.add_argument("--namespace", default="twistdp", help="where to; %(default)s")
    parser.add_argument(
        "--scanner-file", metavar="FILE", help="a module with a scanner, put into a ConfigMap"
    )
    parser.add_argument(
        "--host-path",
        metavar="DIR",
        action="append",
        help="what the scanner looks at, to be read only; may be repeated; /dev",
    )
    parser.add_argument("--cdi", action="store_true", help="the scanner uses CDI")
    parser.add_argument("--selinux", action="store_true", help=f"run as type {SELINUX_TYPE}")
    parser.add_argument("options", nargs="*", metavar="OPTION", help="of twistd deviceplugin")


def run(arguments: argparse.Namespace) -> int:
    """Print the manifests."""
    settings = settings_of(arguments.options)
    try:
        plugin = DaemonSet(
            options=arguments.options,
            settings=settings,
            image=arguments.image,
            name=arguments.name,
            namespace=arguments.namespace,
            scanner_file=arguments.scanner_file,
            host_paths=arguments.host_path or ["/dev"],
            cdi=arguments.cdi,
            selinux=arguments.selinux,
        )
        sys.stdout.write(manifests(plugin))
    except (TwistdpError, OSError, UnicodeError) as error:
        print(f"twistdp manifests: {error}", file=sys.stderr)
        return 1
    return 0
