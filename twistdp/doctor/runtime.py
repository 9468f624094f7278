"""Finds the kubelet's container runtime, and what its configuration says about devices."""

import os
from collections.abc import Sequence
from typing import Final

import attrs

from twistdp.doctor.host import Host
from twistdp.doctor.kubelet import Kubelet
from twistdp.doctor.processes import Process, named

SPEC_DIRECTORIES: Final = ("/etc/cdi", "/var/run/cdi")
"""Where runtimes look for CDI specs by default; the last one counts most."""

CONTAINERD_FILES: Final = (
    "/etc/containerd/config.toml",
    "/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
    "/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
    "/etc/k0s/containerd.toml",
    "/var/snap/microk8s/current/args/containerd.toml",
)

CRIO_FILE: Final = "/etc/crio/crio.conf"
CRIO_DIRECTORY: Final = "/etc/crio/crio.conf.d"


@attrs.frozen
class Settings:
    """A runtime's settings for devices; None where its configuration does not set them."""

    cdi: bool | None = None
    spec_directories: Sequence[str] | None = None
    owner_from_pod: bool | None = None
    """``device_ownership_from_security_context``."""
    files: Sequence[str] = ()


@attrs.frozen
class Runtime:
    """A container runtime; `process` is None if it is not seen."""

    name: str
    process: Process | None


def find_runtime(host: Host, kubelet: Kubelet) -> Runtime | None:
    """The runtime that the kubelet uses, as far as it can be seen; None if there is none."""
    found = named(host, "containerd", "crio", "cri-dockerd")
    wanted = next((n for n in ("cri-dockerd", "crio", "containerd") if n in kubelet.endpoint), "")
    for process in sorted(found, key=lambda each: _rank(each, wanted, kubelet.endpoint)):
        return Runtime(process.name, process)
    if host.exists(CRIO_FILE) or host.names(CRIO_DIRECTORY):
        return Runtime("crio", None)
    if any(host.exists(path) for path in CONTAINERD_FILES):
        return Runtime("containerd", None)
    return None


def _rank(process: Process, wanted: str, endpoint: str) -> tuple[bool, bool, bool]:
    """Sorts the best first: it has the wanted name, the kubelet's socket, and is not Docker's."""
    flags = process.flags
    address = flags.get("address", flags.get("a"))
    file = flags.get("config", flags.get("c", ""))
    return (
        bool(wanted) and process.name != wanted,
        address != endpoint,
        "docker/containerd" in file,
    )


def default_socket(name: str) -> str:
    """Where a runtime listens by default."""
    sockets = {
        "crio": "/var/run/crio/crio.sock",
        "cri-dockerd": "/var/run/cri-dockerd.sock",
    }
    return sockets.get(name, "/run/containerd/containerd.sock")


def spec_paths(host: Host, directory: str) -> list[str]:
    """The paths of the CDI specs in a directory."""
    return [
        os.path.join(directory, name)
        for name in host.names(directory)
        if os.path.splitext(name)[1] in (".json", ".yaml")
    ]
