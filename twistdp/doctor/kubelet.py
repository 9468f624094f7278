"""Finds the kubelet of a host: its process, its directories, and its configuration."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from twistdp import kubelet as api
from twistdp.doctor.documents import merged, read_yaml
from twistdp.doctor.host import Host, Unreadable
from twistdp.doctor.kubelet_files import files_of, options
from twistdp.doctor.processes import Process, named
from twistdp.kubelet import checkpoint
from twistdp.settings import PLUGIN_DIRECTORY

ROOT_DIRECTORY: Final = "/var/lib/kubelet"
KUBELET_SOCKET: Final = os.path.join(PLUGIN_DIRECTORY, api.KUBELET_SOCKET)
CHECKPOINT: Final = os.path.join(PLUGIN_DIRECTORY, checkpoint.CHECKPOINT)
"""The file in which the kubelet keeps what plugins have registered, and what pods were given."""

KIND: Final = "KubeletConfiguration"

_EMBEDDED: Final = ("k3s", "rke2", "kubelite", "k3s-server", "k3s-agent")

_BY_FLAG: Final = {
    "topology-manager-policy": "topologyManagerPolicy",
    "topology-manager-scope": "topologyManagerScope",
    "cpu-manager-policy": "cpuManagerPolicy",
    "memory-manager-policy": "memoryManagerPolicy",
    "container-runtime-endpoint": "containerRuntimeEndpoint",
    "cgroup-driver": "cgroupDriver",
}


@attrs.frozen
class Kubelet:
    """What is known of the kubelet; `process` is None if it is not seen."""

    process: Process | None
    flags: Mapping[str, str]
    config: Mapping[str, Any]
    files: Sequence[str]
    """The files from which `config` was read."""
    problems: Sequence[str]
    """What is wrong with such files."""
    is_there: bool
    """Whether a kubelet runs or has run on this host."""

    @property
    def root(self) -> str:
        """Its ``--root-dir``, in which all its directories are, except that of device plugins."""
        return self.flags.get("root-dir", ROOT_DIRECTORY)

    @property
    def registry(self) -> str:
        """The directory of plugins that do not register themselves."""
        return f"{self.root}/plugins_registry"

    @property
    def pod_resources(self) -> str:
        """The socket on which it reports who has which device."""
        return f"{self.root}/pod-resources/kubelet.sock"

    @property
    def endpoint(self) -> str:
        """The path of its container runtime's socket; empty if it is not known."""
        named = self.config.get("containerRuntimeEndpoint")
        return named.removeprefix("unix://") if isinstance(named, str) else ""

    @property
    def gates(self) -> Mapping[str, bool]:
        """The feature gates that are set."""
        gates = self.config.get("featureGates")
        given = dict(gates) if isinstance(gates, Mapping) else {}
        for each in self.flags.get("feature-gates", "").split(","):
            name, _, value = each.partition("=")
            given[name] = value.lower() in ("true", "1", "t")
        return {name: bool(value) for name, value in given.items() if name}


def find_kubelet(host: Host) -> Kubelet:
    """The kubelet of a host.  Raises `Unreadable` if its processes cannot be listed."""
    found = named(host, "kubelet", *_EMBEDDED)
    found.sort(key=lambda each: each.name != "kubelet")
    process = found[0] if found else None
    given = options(host, process)
    config: dict[str, Any] = {}
    files: list[str] = []
    problems: list[str] = []
    for path, is_drop_in in files_of(host, given, process):
        try:
            content = read_yaml(host, path)
        except Unreadable as error:
            problems.append(str(error))
            continue
        if isinstance(content, dict) and content.get("kind") == KIND:
            files.append(path)
            config = merged(config, content)
        elif "config" in given or is_drop_in:  # else it was a guess
            problems.append(f"{path}: {_lack(content)}")
    config = merged(config, {key: given[name] for name, key in _BY_FLAG.items() if name in given})
    traces = KUBELET_SOCKET, CHECKPOINT, *files
    is_there = process is not None or any(map(host.exists, traces))
    return Kubelet(process, given, config, files, problems, is_there)


def _lack(content: Any) -> str:
    if content is None:
        return "there is no such file, and the kubelet is started with it"
    return f"it has no 'kind: {KIND}', so the kubelet refuses it"
