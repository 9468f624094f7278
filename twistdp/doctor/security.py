"""Checks the security modules that stand between a container and a device."""

from typing import Final

from twistdp.doctor.findings import Findings, info, ok, warning
from twistdp.doctor.host import Host
from twistdp.settings import PLUGIN_DIRECTORY

LABEL: Final = "container_file_t"
"""The type that a kubelet gives to the directory of device plugins when it starts."""

_SELINUX: Final = "/sys/fs/selinux"


def check_selinux(host: Host) -> Findings:
    """Whether SELinux lets plugins in containers meet the kubelet."""
    if not host.names("/sys"):
        return  # check_view reports that
    mode = host.line(f"{_SELINUX}/enforce")
    if mode is None:
        yield ok("SELinux is off")
        return
    if mode != "1":
        yield ok("SELinux is permissive: it logs what it would refuse, and refuses nothing")
    label = host.label(PLUGIN_DIRECTORY)
    parts = (label or "").split(":")
    if mode == "1" and label is not None and len(parts) > 2 and parts[2] != LABEL:
        yield warning(
            f"{PLUGIN_DIRECTORY} has the SELinux type {parts[2]}, and not {LABEL}",
            "a kubelet sets that type when it starts, and something has changed it since; plugins "
            "in containers may not be allowed to make their sockets there",
            f"chcon -t {LABEL} {PLUGIN_DIRECTORY}, or restart the kubelet; plugins on nodes with "
            "SELinux run as container_device_plugin_t (twistdp manifests --selinux)",
        )
    elif mode == "1":
        yield ok(f"SELinux enforces, and the label of {PLUGIN_DIRECTORY} is {label or 'missing'}")
    allowed = (host.line(f"{_SELINUX}/booleans/container_use_devices") or "").split()
    if mode == "1" and allowed[:1] == ["0"]:
        yield info(
            "the SELinux boolean container_use_devices is off",
            "containers may open the nodes that the runtime makes for them, and no nodes with the "
            "host's labels, as in a mount of /dev",
            "if a container is refused a device (ausearch -m avc): setsebool -P "
            "container_use_devices on",
        )


def check_apparmor(host: Host) -> Findings:
    """Whether AppArmor is on."""
    if not host.names("/sys"):
        return
    enabled = host.line("/sys/module/apparmor/parameters/enabled")
    if enabled == "Y":
        yield ok(
            "AppArmor is on; the runtimes' default profiles let containers open devices, and "
            "refuse mount(2)"
        )
    else:
        yield ok("AppArmor is off")
