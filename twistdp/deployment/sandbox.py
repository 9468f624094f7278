"""Decides which of a node's files a plugin's sandbox hides, and what it leaves of ``/run``."""

import os
from collections.abc import Iterable, Iterator, Sequence

from twistdp.settings import PLUGIN_DIRECTORY, REGISTRY_DIRECTORY, Settings

KUBELET = os.path.dirname(PLUGIN_DIRECTORY)
"""The kubelet's default root directory."""

OF_RUN = ("/run/systemd/notify", "/run/systemd/journal/dev-log", "/run/udev/data")
"""The parts of ``/run`` that the sandbox keeps: sockets for readiness and syslog, and udev's data.

All else is hidden, since nobody could list the sockets there that obey root: those of container
runtimes, of D-Bus, of systemd, and of programs that start later.
"""

OF_THE_NODE = (
    *("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/security/opasswd"),
    *("/etc/ssh", "/etc/ssl/private", "/etc/pki/tls/private", "/etc/krb5.keytab"),
    *("/etc/NetworkManager/system-connections", "/etc/wireguard"),
)
"""Keys and passwords of the machine."""

OF_THE_CLUSTER = (
    *("/etc/kubernetes", "/etc/rancher", "/etc/cni"),
    *("/var/lib/etcd", "/var/lib/rancher", "/var/lib/k0s", "/var/snap/microk8s/common/run"),
    *("/var/lib/containerd", "/var/lib/containers", "/var/lib/docker"),
)
"""Keys of the cluster and its network, containers' files, and sockets outside of ``/run``."""


def kubelet_of(settings: Settings) -> str:
    """The parent of the sockets' directory, which must be writable: kubelets replace its contents.

    With the plugin watcher, sockets are made in it.
    """
    return os.path.dirname(settings.socket_dir)


def is_kubelets(settings: Settings) -> bool:
    """Whether that is a kubelet's directory, with its secrets."""
    names = map(os.path.basename, (PLUGIN_DIRECTORY, REGISTRY_DIRECTORY))
    return kubelet_of(settings) == KUBELET or os.path.basename(settings.socket_dir) in names


def made_secrets(kubelet: str) -> list[str]:
    """A kubelet's directories of keys, of pods' volumes, and of storage drivers' sockets.

    They are made before they are hidden, so that a plugin that starts first does not see them.
    """
    return [f"{kubelet}/{name}" for name in ("pki", "plugins", "pods")]


def secrets(kubelets: Iterable[str], used: Sequence[str]) -> Iterator[list[str]]:
    """Lists of paths to hide where they exist, without the parents of the directories `used`.

    A directory below a hidden one could not be made visible again.
    """
    names = ("bootstrap-kubeconfig", "config.json", "kubeconfig")
    yield [
        path
        for kubelet in kubelets
        for path in (*made_secrets(kubelet), *(f"{kubelet}/{name}" for name in names))
    ]
    for paths in (OF_THE_NODE, OF_THE_CLUSTER):
        yield [path for path in paths if not any(holds(path, one) for one in used)]


def configuration(kubelets: Iterable[str]) -> list[str]:
    """Kubelets' configuration files, by kubeadm and others, which become read-only."""
    names = ("config", "config.yaml", "instance-config.yaml", "kubeadm-flags.env")
    return [f"{kubelet}/{name}" for kubelet in kubelets for name in names]


def in_run(paths: Iterable[str]) -> list[str]:
    """Those of the absolute paths that are in ``/run``, to which ``/var/run`` is a link."""
    found = dict.fromkeys(
        "/run" + path.removeprefix(place)
        for path in map(os.path.normpath, paths)
        for place in ("/run", "/var/run")
        if holds(place, path)
    )
    return list(found)


def holds(directory: str, path: str) -> bool:
    """Whether an absolute `path` is `directory`, or in it."""
    return os.path.commonpath([directory, path]) == directory
