"""Checks the kubelet's configuration: how it uses NUMA nodes, and which features are off."""

import re
from typing import Final

from twistdp.doctor.findings import Findings, error, info, ok, warning
from twistdp.doctor.host import Host
from twistdp.doctor.kubelet import Kubelet, find_kubelet
from twistdp.doctor.view import is_hidden
from twistdp.model import named

MOST_NODES: Final = 8
"""Most NUMA nodes for which a kubelet aligns devices by default."""

GATES: Final = {
    "DevicePlugins": "no plugin can register",
    "DevicePluginCDIDevices": "the CDI names that plugins give are dropped, silently",
    "KubeletPodResources": "nobody knows which pod has which device",
}
"""Feature gates of the kubelet that plugins need, with what happens if they are off."""

POLICIES: Final = ("best-effort", "restricted", "single-numa-node")


def check_configuration(host: Host) -> Findings:
    """Whether the kubelet's configuration can be read, and switches nothing off."""
    kubelet = find_kubelet(host)
    for problem in kubelet.problems:
        yield error(
            problem,
            "a kubelet does not start with such a file",
            "correct it, and restart the kubelet",
        )
    for gate, effect in GATES.items():
        if kubelet.gates.get(gate) is False:
            yield warning(
                f"the kubelet's feature gate {gate} is off",
                effect,
                "remove it from featureGates, and restart the kubelet",
            )
    if kubelet.files:
        yield ok(f"the kubelet's configuration is {named(kubelet.files)}")
    elif kubelet.process is not None:
        yield ok("the kubelet has no configuration file, and runs with its defaults and options")
    elif kubelet.is_there and not kubelet.problems and not is_hidden(host, kubelet):
        yield info(
            "the kubelet's configuration is not seen",
            "whether it aligns devices and CPUs, and which features are off, is not known",
            "start the kubelet, and run this as root on the node itself",
        )


def check_topology(host: Host) -> Findings:
    """Whether the kubelet uses the NUMA nodes that plugins give."""
    kubelet = find_kubelet(host)
    if not kubelet.is_there:
        return
    nodes = [n for n in host.names("/sys/devices/system/node") if re.fullmatch(r"node\d+", n)]
    policy = _text(kubelet, "topologyManagerPolicy", "none")
    if len(nodes) < 2:
        yield ok(f"one NUMA node, so nothing needs to be aligned (Topology Manager: {policy})")
        return
    if policy not in POLICIES:
        if kubelet.process is None and not kubelet.files:
            return  # it is not known
        yield info(
            f"{len(nodes)} NUMA nodes, and the kubelet's topologyManagerPolicy is {policy}",
            "the kubelet ignores the NUMA nodes of devices: a pod may get a device, its CPUs and "
            "its memory on different ones",
            "for pods to which that matters: topologyManagerPolicy: best-effort, restricted or "
            "single-numa-node, with cpuManagerPolicy: static",
        )
        return
    scope = _text(kubelet, "topologyManagerScope", "container")
    cpus = _text(kubelet, "cpuManagerPolicy", "none")
    yield ok(f"{len(nodes)} NUMA nodes, and the kubelet aligns ({policy}, scope {scope})")
    options = kubelet.config.get("topologyManagerPolicyOptions")
    told = isinstance(options, dict) and "max-allowable-numa-nodes" in options
    if len(nodes) > MOST_NODES and not told:
        yield warning(
            f"{len(nodes)} NUMA nodes with topologyManagerPolicy {policy}",
            f"a kubelet does not start with a policy on more than {MOST_NODES} NUMA nodes",
            f"set topologyManagerPolicyOptions: {{max-allowable-numa-nodes: '{len(nodes)}'}}, or "
            "no policy",
        )
    if cpus == "none":
        yield info(
            "the kubelet's cpuManagerPolicy is none",
            "devices are aligned with each other, but no container has CPUs of its own that could "
            "be near them",
            "cpuManagerPolicy: static, for pods of the class Guaranteed",
        )


def _text(kubelet: Kubelet, key: str, default: str) -> str:
    value = kubelet.config.get(key)
    return value if isinstance(value, str) and value else default
