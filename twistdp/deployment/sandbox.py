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
    *("/var/backups", "/etc/ssh", "/etc/ssl/private", "/etc/letsencrypt", "/etc/pki/tls/private"),
    *("/etc/pki/consumer", "/etc/pki/entitlement", "/etc/krb5.keytab"),
    *("/etc/sssd", "/var/lib/sss/db", "/var/lib/sss/secrets"),
    *("/etc/credstore", "/etc/credstore.encrypted", "/var/lib/systemd/credential.secret"),
    *("/etc/NetworkManager/system-connections", "/etc/netplan", "/etc/wpa_supplicant"),
    *("/etc/wireguard", "/etc/openvpn", "/etc/ipsec.secrets", "/etc/swanctl", "/etc/ppp"),
    *("/etc/iscsi", "/etc/ceph", "/var/lib/cloud", "/var/lib/private"),
)
"""Keys and passwords of the machine, copies of them, and what cloud-init was given."""

OF_THE_CLUSTER = (
    *("/etc/kubernetes", "/etc/srv/kubernetes", "/srv/kubernetes", "/var/lib/kubernetes"),
    *("/etc/rancher", "/etc/k0s", "/etc/cni", "/etc/etcd", "/etc/ssl/etcd"),
    *("/etc/containerd", "/etc/crio", "/etc/docker"),
    *("/var/lib/etcd", "/var/lib/kube-proxy", "/var/lib/minikube", "/var/lib/rancher"),
    # The latter are for a kubelet whose directory is in the first.
    *("/var/lib/k0s", "/var/lib/k0s/pki", "/var/lib/k0s/etcd", "/var/lib/k0s/kubelet.conf"),
    *("/var/snap/microk8s/current", "/var/snap/microk8s/common/run"),
    *("/var/lib/containerd", "/var/lib/containers", "/var/lib/docker"),
    *("/var/lib/incus", "/var/lib/lxd", "/var/snap/lxd/common/lxd"),
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
    """A kubelet's directories of keys, of pods' volumes and memory, and of drivers' sockets.

    They are made before they are hidden, so that a plugin that starts first does not see them.
    """
    return [f"{kubelet}/{name}" for name in ("checkpoints", "pki", "plugins", "pods")]


def secrets(kubelets: Iterable[str], used: Sequence[str]) -> Iterator[list[str]]:
    """Lists of paths to hide where they exist, without the parents of the directories `used`.

    A directory below a hidden one could not be made visible again.
    """
    names = (
        *("bootstrap-kubeconfig", "kubeconfig", "kubeconfig-bootstrap", "kubeconfig-real"),
        *(".docker", ".dockercfg", "config.json"),
    )
    yield [
        path
        for kubelet in kubelets
        for path in (*made_secrets(kubelet), *(f"{kubelet}/{name}" for name in names))
    ]
    for paths in (OF_THE_NODE, OF_THE_CLUSTER):
        yield [path for path in paths if not any(holds(path, one) for one in used)]


def configuration(kubelets: Iterable[str]) -> list[str]:
    """Kubelets' configuration, by kubeadm and others, and pods' filters of system calls.

    They become read-only.
    """
    names = (
        *("config", "config.yaml", "instance-config.yaml", "kubeadm-flags.env", "kubelet.conf"),
        "seccomp",
    )
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
