"""What of a node is hidden from a plugin, and what of ``/run`` is left."""

import os
from collections.abc import Iterable, Iterator, Sequence

from twistdp.settings import PLUGIN_DIRECTORY, REGISTRY_DIRECTORY, Settings

KUBELET = os.path.dirname(PLUGIN_DIRECTORY)
"""The kubelet's root directory, unless it is told otherwise."""

OF_RUN = ("/run/systemd/notify", "/run/systemd/journal/dev-log", "/run/udev/data")
"""What is left of ``/run``: readiness and syslog are told on sockets there, and udev knows devices.

All else is hidden, since nobody could list the sockets there that obey root: those of container
runtimes, of D-Bus and of systemd, also of what starts later.
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
"""Keys of the cluster and of its network, and what containers have; sockets outside of ``/run``."""


def kubelet_of(settings: Settings) -> str:
    """The parent of where the sockets are: it must be writable, since what is in it comes and goes.

    With the plugin watcher, sockets are made in it.
    """
    return os.path.dirname(settings.socket_dir)


def is_kubelets(settings: Settings) -> bool:
    """Whether that is a kubelet's, with its secrets, and no directory of somebody else's."""
    names = map(os.path.basename, (PLUGIN_DIRECTORY, REGISTRY_DIRECTORY))
    return kubelet_of(settings) == KUBELET or os.path.basename(settings.socket_dir) in names


def made_secrets(kubelet: str) -> list[str]:
    """In a kubelet's directory its keys, its pods' volumes, and the sockets of storage drivers.

    They are made before they are hidden, so that they are hidden from a plugin that starts first.
    """
    return [f"{kubelet}/{name}" for name in ("pki", "plugins", "pods")]


def secrets(kubelets: Iterable[str], used: Sequence[str]) -> Iterator[list[str]]:
    """What is hidden, if it is there; nothing that one of the directories `used` is in.

    A directory below a hidden one could not be opened again.
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
    """What kubelets are told to do, by kubeadm and others; it is only read, if it is there."""
    names = ("config", "config.yaml", "instance-config.yaml", "kubeadm-flags.env")
    return [f"{kubelet}/{name}" for kubelet in kubelets for name in names]


def in_run(paths: Iterable[str]) -> list[str]:
    """Those of some absolute paths that are in ``/run``, to which ``/var/run`` is a link."""
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
