"""Finds the files of a kubelet's configuration, and the options that name them."""

import os
from collections.abc import Mapping
from typing import Final

from twistdp.doctor.host import Host
from twistdp.doctor.processes import Process, flags

FILES: Final = (
    "/var/lib/kubelet/config.yaml",
    "/etc/kubernetes/kubelet/config.json",
    "/etc/kubernetes/kubelet/kubelet-config.json",
    "/etc/kubernetes/kubelet.conf",
    "/etc/kubernetes/kubelet-config.yaml",
    "/home/kubernetes/kubelet-config.yaml",
    "/var/lib/k0s/kubelet-config.yaml",
)
"""Where kubeadm, EKS, OpenShift, GKE and k0s have the configuration, if no process names it."""

DROP_INS: Final = (
    "/var/lib/rancher/k3s/agent/etc/kubelet.conf.d",
    "/var/lib/rancher/rke2/agent/etc/kubelet.conf.d",
    "/etc/kubernetes/kubelet/config.json.d",
    "/etc/openshift/kubelet.conf.d",
)
"""Where k3s, RKE2, EKS and OpenShift have drop-ins, likewise."""


def options(host: Host, process: Process | None) -> Mapping[str, str]:
    """The options of a kubelet; MicroK8s has them in a file."""
    if process is None:
        return {}
    file = process.flags.get("kubelet-args-file")
    content = None if file is None else host.read(file)
    if content is None:
        return process.flags
    lines = [line.strip() for line in content.decode(errors="replace").splitlines()]
    variables = {
        "${SNAP_COMMON}": "/var/snap/microk8s/common",
        "${SNAP_DATA}": "/var/snap/microk8s/current",
    }
    found = dict(flags([line for line in lines if not line.startswith("#")]))
    for name in found:
        for variable, place in variables.items():
            found[name] = found[name].replace(variable, place)
    return found


def files_of(
    host: Host, given: Mapping[str, str], process: Process | None
) -> list[tuple[str, bool]]:
    """The files of the configuration, in the kubelet's order, and whether each is a drop-in."""
    if "config" in given:
        main = [given["config"]]
    elif process is not None and process.name == "kubelet":
        main = []  # it runs with its defaults
    else:
        main = [path for path in FILES if host.exists(path)][:1]
    if "config-dir" in given:
        directories = [given["config-dir"]]
    elif process is not None and process.name == "kubelet":
        directories = []
    else:
        directories = [path for path in DROP_INS if host.exists(path)][:1]
    drop_ins = [path for each in directories for path in _below(host, each)]
    return [(path, False) for path in main] + [(path, True) for path in drop_ins]


def _below(host: Host, directory: str, depth: int = 0) -> list[str]:
    """The drop-ins in a directory and below, in lexical order."""
    found = []
    for name in host.names(directory):
        path = os.path.join(directory, name)
        status = host.stat(path)
        if status is not None and os.path.isdir(host.where(path)):
            found += _below(host, path, depth + 1) if depth < 8 else []
        elif name.endswith(".conf"):
            found.append(path)
    return found
