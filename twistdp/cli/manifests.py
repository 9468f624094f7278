"""``twistdp manifests``: what Kubernetes needs to run a plugin on every node, as YAML.

The template beside this module is that of ``deploy/kustomize/base`` too.  Values are put in as
JSON, which YAML includes, so that no YAML library is needed.
"""

import argparse
import hashlib
import json
import os
import re
import string
import sys
from importlib.metadata import version
from typing import Any

import attrs
from twisted.python import usage

from twistdp.errors import TwistdpError
from twistdp.settings import Settings

TEMPLATE = os.path.join(os.path.dirname(__file__), "manifests.yaml")

SCANNER_DIRECTORY = "/etc/twistdp"
"""Where a scanner of one's own is in the container."""

SELINUX_TYPE = "container_device_plugin_t"
"""The type that the policy of containers has for device plugins."""


@attrs.frozen
class HostPath:
    """A path of the node in the container, under the same name.

    `type` is Kubernetes': a ``Directory`` is waited for.
    """

    name: str
    path: str
    writable: bool = False
    type: str = "Directory"

    def mount(self) -> dict[str, Any]:
        """The container's part of it."""
        only = {} if self.writable else {"readOnly": True}
        return {"name": self.name, "mountPath": self.path, **only}

    def volume(self) -> dict[str, Any]:
        """The pod's part of it."""
        return {"name": self.name, "hostPath": {"path": self.path, "type": self.type}}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.usage = "twistdp manifests [options] -- [options of twistd deviceplugin]"
    parser.add_argument("--image", default=f"twistdp:{version('twistdp')}", help="%(default)s")
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
    try:
        sys.stdout.write(render(arguments))
    except (TwistdpError, usage.UsageError, OSError, UnicodeError) as error:
        print(f"twistdp manifests: {error}", file=sys.stderr)
        return 1
    return 0


def render(arguments: argparse.Namespace) -> str:
    """The manifests that the command's arguments come to; raises what is wrong with them."""
    for option in ("name", "namespace"):
        check_label(option, getattr(arguments, option))
    paths = host_paths(settings_of(arguments.options), arguments)
    mounts = [path.mount() for path in paths]
    volumes = [path.volume() for path in paths]
    names = {"name": arguments.name, "namespace": arguments.namespace}
    scanner = env = ""
    if arguments.scanner_file:
        scanner, config_map = config_map_of(arguments.scanner_file, **names)
        mounts.append({"name": "scanner", "mountPath": SCANNER_DIRECTORY, "readOnly": True})
        volumes.append({"name": "scanner", "configMap": {"name": config_map}})
        env = "          env:\n" + entries(12, [{"name": "PYTHONPATH", "value": SCANNER_DIRECTORY}])
    with open(TEMPLATE, encoding="utf-8") as file:
        template = string.Template(file.read())
    return template.substitute(
        names,
        image=quoted(arguments.image),
        scanner=scanner,
        options=f"        seLinuxOptions:\n          type: {SELINUX_TYPE}\n"
        if arguments.selinux
        else "",
        # Kubernetes replaces $(NAME) in arguments, and $$ by a single one.
        args=entries(12, [option.replace("$", "$$") for option in arguments.options]),
        env=env,
        mounts=entries(12, mounts),
        volumes=entries(8, volumes).rstrip("\n"),
    )


def settings_of(options: list[str]) -> Settings:
    """What options of ``twistd deviceplugin`` come to, as far as this machine need not know."""
    from twistdp.tap import Options

    class Unchecked(Options):
        """The scanner's module need not be here, nor the kubelet's directories."""

        def postOptions(self) -> None:
            """Only what the manifests depend on."""
            if not self._choices:
                raise usage.UsageError("--scanner is missing: name one, as --scanner=module:Class")
            self.settings = Settings(**self._common())

    parsed = Unchecked()
    parsed.parseOptions(options)
    return parsed.settings


def host_paths(settings: Settings, arguments: argparse.Namespace) -> list[HostPath]:
    """What of the node is in the container."""
    kubelet = settings.private_place
    found = [HostPath("kubelet", kubelet or settings.plugin_dir, True)]
    if arguments.cdi:
        found.append(HostPath("cdi", settings.cdi_dir, True, "DirectoryOrCreate"))
        pod_resources = os.path.dirname(settings.pod_resources_socket)
        if kubelet is None or os.path.commonpath([kubelet, pod_resources]) != kubelet:
            found.append(HostPath("pod-resources", pod_resources))
    for number, path in enumerate(arguments.host_path or ["/dev"]):
        if not os.path.isabs(path):
            raise usage.UsageError(f"--host-path {path}: give an absolute path")
        found.append(HostPath(f"host-{number}", os.path.normpath(path)))
    return found


def config_map_of(path: str, name: str, namespace: str) -> tuple[str, str]:
    """A document with a file, and its name, which changes with the file so that pods do too."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    file_name = os.path.basename(path)
    if not re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", file_name):
        raise usage.UsageError(f"--scanner-file {path}: a ConfigMap takes no file of this name")
    config_map = f"{name}-scanner-{digest}"
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {config_map}\n"
        f"  namespace: {namespace}\n  labels:\n    app.kubernetes.io/name: {name}\n"
        f"data:\n  {quoted(file_name)}: {block(text)}---\n"
    ), config_map


def check_label(option: str, value: str) -> None:
    """Raise `usage.UsageError` unless `value` can name what is made."""
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?", value):
        raise usage.UsageError(
            f"--{option} {value}: use at most 40 lower-case letters, digits and '-' in between"
        )


def entries(indent: int, values: list[Any]) -> str:
    """Values, one a line."""
    return "".join(f"{' ' * indent}- {quoted(value)}\n" for value in values)


def quoted(value: Any) -> str:
    """A value as YAML takes it: JSON, with escapes for what is not printable."""
    text = json.dumps(value, ensure_ascii=False)
    text.encode()  # a lone surrogate, of bytes that are no UTF-8, cannot be written at all
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)


def block(text: str) -> str:
    """A text as YAML takes it, its lines as they are if that is possible."""
    *lines, rest = text.split("\n")
    if rest or not lines or not all(line.isprintable() for line in lines):
        return quoted(text) + "\n"
    # The first line tells the indentation, the last one how the text ends.
    if not lines[-1] or not lines[0] or lines[0].startswith(" "):
        return quoted(text) + "\n"
    return "|\n" + "".join(f"    {line}\n" if line else "\n" for line in lines)
