"""``twistdp systemd-unit``: a unit for systemd, for a command line or as a template of many."""

import argparse
import os
import sys
from collections.abc import Sequence

from twistdp.settings import CDI_DIRECTORY, PLUGIN_DIRECTORY, REGISTRY_DIRECTORY
from twistdp.testing.process import twistd_command

SHIPPED_TWISTD = "/opt/twistdp/bin/twistd"
"""The program that deploy/systemd/twistdp@.service runs."""

_UNIT = """\
# Printed by: twistdp systemd-unit
[Unit]
Description=Kubernetes device plugin{description}
# The kubelet finds the plugin waiting, and has no pod refused for want of it; at a shutdown the
# plugin goes last. Nothing requires the kubelet, which may start, stop and restart at any time.
Before=kubelet.service
RequiresMountsFor={mounts}
# However often it fails, it is tried again.
StartLimitIntervalSec=0

[Service]
Type=notify
{environment}# The sandbox makes writable, and hides, what is there when ExecStart= begins; make it.
ExecStartPre=+/bin/mkdir -p -m 0755 {made}
ExecStartPre=+/bin/mkdir -p -m 0750 {hidden}
ExecStart={command}
Restart=always
RestartSec=1
WatchdogSec=30
TimeoutStopSec=10

# Files: all may be read, but homes and what is the cluster's secret; sockets and CDI specs may be
# written. Devices are looked for in /dev, so it is not PrivateDevices.
ProtectSystem=strict
# Optional, since they are looked for before ExecStartPre= too.
ReadWritePaths={writable}
InaccessiblePaths={inaccessible} -/etc/kubernetes
PrivateMounts=yes
PrivateTmp=yes
ProtectHome=yes
ProtectProc=invisible
UMask=0077

# Nothing of root's but the ownership of files, and no network: the kubelet is called on sockets
# in the file system.
CapabilityBoundingSet=
NoNewPrivileges=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX
IPAddressDeny=any
PrivateIPC=yes
RestrictNamespaces=yes
RestrictRealtime=yes
KeyringMode=private
LockPersonality=yes
MemoryDenyWriteExecute=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""

_ENVIRONMENT = """\
# TWISTDP_OPTIONS, and variables of the scanner's own.
EnvironmentFile=/etc/twistdp/%i.env
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.usage = "twistdp systemd-unit [options] [-- OPTION ...]"
    parser.add_argument(
        "options",
        nargs="*",
        metavar="OPTION",
        help="what follows 'twistd deviceplugin'; without any it is the template twistdp@.service, "
        "whose instances have theirs in /etc/twistdp/INSTANCE.env",
    )
    parser.add_argument(
        "--twistd",
        metavar="PATH",
        default=twistd_command()[0],
        help="the twistd to run; default: the one of this installation",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the unit."""
    sys.stdout.write(unit(arguments.twistd, arguments.options))
    return 0


def unit(twistd: str, options: Sequence[str] = ()) -> str:
    """The text of a unit that runs ``twistd deviceplugin`` with `options`, or of the template.

    Directories that `options` name are writable in it; those of the template are the defaults.
    """
    command = [twistd, "-n", "--pidfile=", "deviceplugin", *options]
    quoted = " ".join(map(_argument, command))
    root = os.path.dirname(_value(options, "plugin-dir", PLUGIN_DIRECTORY))
    if _value(options, "registration", "socket") == "watcher":
        root = os.path.dirname(_value(options, "registry-dir", REGISTRY_DIRECTORY))
    cdi = _value(options, "cdi-dir", CDI_DIRECTORY)
    secrets = (f"{root}/pki", f"{root}/pods")
    return _UNIT.format(
        description="" if options else " %i",
        environment="" if options else _ENVIRONMENT,
        command=quoted if options else f"{quoted} $TWISTDP_OPTIONS",
        mounts=quote(root),
        made=" ".join(map(_argument, (root, cdi))),
        hidden=" ".join(map(_argument, secrets)),
        writable=_optional(root, cdi),
        inaccessible=_optional(*secrets),
    )


def _argument(word: str) -> str:
    """`word` as one of a command, where what looks like a variable stands for itself."""
    return quote(word.replace("$", "$$"))


def _optional(*paths: str) -> str:
    """A list of paths that need not exist."""
    return " ".join(quote(f"-{path}") for path in paths)


def quote(word: str) -> str:
    """`word` as one word of a list in a unit; see systemd.syntax(7).

    What looks like a specifier stands for itself.
    """
    text = word.replace("\\", "\\\\").replace("%", "%%")
    if text and not set(text) & set(" \t\n\r;\"'\\"):
        return text
    text = text.replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return f'"{text}"'


def _value(options: Sequence[str], name: str, default: str) -> str:
    """What the last ``--name VALUE`` or ``--name=VALUE`` of `options` says."""
    found = default
    for position, option in enumerate(options):
        key, equals, value = option.partition("=")
        if key == f"--{name}":
            found = value if equals else "".join(options[position + 1 : position + 2]) or default
    return found
