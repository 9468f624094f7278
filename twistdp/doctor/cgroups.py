"""Checks the version of cgroups, which decide whether a container may open a device."""

from typing import Final

from twistdp.doctor.findings import Findings, error, info, ok, warning
from twistdp.doctor.host import Host
from twistdp.doctor.kubelet import find_kubelet

MOUNT: Final = "/sys/fs/cgroup"


def check_cgroups(host: Host) -> Findings:
    """Whether the host has cgroup v2."""
    if host.exists(f"{MOUNT}/cgroup.controllers"):
        yield ok("cgroup v2: runtimes allow devices by a BPF program for each container")
        return
    if not host.names("/sys"):
        return
    if not host.names(MOUNT):
        yield info(
            f"{MOUNT} is empty or missing",
            "which cgroups this host has is not known",
            "mount the host's /sys, or run this on the host itself",
        )
        return
    kubelet = find_kubelet(host)
    if not host.exists(f"{MOUNT}/devices"):
        yield error(
            f"cgroup v1 without the controller 'devices' in {MOUNT}",
            "runtimes cannot give a container a device, or let it open every one",
            "mount the controller, or boot with systemd.unified_cgroup_hierarchy=1 for cgroup v2",
        )
        return
    told = kubelet.flags.get("fail-cgroupv1", kubelet.config.get("failCgroupV1"))
    if str(told).lower() == "false":
        meaning = "it works since 'failCgroupV1: false' is set, until Kubernetes drops it"
    else:
        meaning = (
            "a kubelet since 1.35 starts with it only if its configuration has 'failCgroupV1: "
            "false', and Kubernetes will drop it"
        )
    yield warning(
        "cgroup v1",
        meaning,
        "boot with systemd.unified_cgroup_hierarchy=1 for cgroup v2 (Linux 5.8 or later)",
    )
