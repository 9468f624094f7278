"""Checks whether we see enough of the host: as root, with /proc and /sys, and not from a pod."""

from twistdp.doctor.findings import Findings, info, warning
from twistdp.doctor.host import Host, is_socket
from twistdp.doctor.kubelet import KUBELET_SOCKET, Kubelet, find_kubelet
from twistdp.doctor.sockets import listener


def check_view(host: Host) -> Findings:
    """Whether we see what the other checks look at."""
    if host.uid != 0:
        yield warning(
            f"this runs as user {host.uid}",
            "sockets, processes and files of root are hidden, so what is wrong with them is not "
            "found",
            "run it as root: sudo twistdp doctor",
        )
    missing = [path for path in ("/proc", "/sys") if not host.names(path)]
    if missing:
        yield warning(
            f"{' and '.join(missing)} of this host cannot be seen",
            "what the kernel and processes show, as limits, cgroups, SELinux and the options of "
            "the kubelet, is not known",
            "mount the host's root directory recursively: mount --rbind / DIR",
        )
    elif is_hidden(host, find_kubelet(host)):
        yield info(
            "the kubelet answers, and its process is not seen",
            "this runs in a container, or the kubelet does: the configuration of the kubelet and "
            "of the runtime, what other processes use, and who keeps the clock, is not known",
            "run it on the node itself, or in kubectl debug node/NAME --profile=sysadmin as "
            "twistdp doctor --root=/host",
        )


def is_hidden(host: Host, kubelet: Kubelet) -> bool:
    """Whether a kubelet runs here, but not in what we see of the host."""
    if kubelet.process is not None or not is_socket(host.stat(KUBELET_SOCKET)):
        return False
    return listener(host, KUBELET_SOCKET).peer is not None
