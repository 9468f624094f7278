"""Checks the clock: whether something keeps it right, and whether it has jumped."""

import time
from typing import Final

from twistdp.doctor.findings import Findings, error, info, ok, warning
from twistdp.doctor.host import Host
from twistdp.doctor.kubelet import CHECKPOINT, KUBELET_SOCKET, find_kubelet
from twistdp.doctor.processes import named
from twistdp.doctor.sockets import listener
from twistdp.doctor.view import is_hidden
from twistdp.settings import PLUGIN_DIRECTORY

SERVICES: Final = ("chronyd", "ntpd", "systemd-timesyncd", "ptp4l", "phc2sys")

TOLERANCE: Final = 60.0
"""Seconds by which times on disk may differ before they count as a jump."""

_STAMPS: Final = (KUBELET_SOCKET, CHECKPOINT, PLUGIN_DIRECTORY)


def check_clock(host: Host) -> Findings:
    """Whether a service keeps the clock right."""
    state = host.clock()
    services = sorted({each.name for each in named(host, *SERVICES, of_root=False)})
    if len([each for each in services if each not in ("ptp4l", "phc2sys")]) > 1:
        yield warning(
            f"{' and '.join(services)} set the clock at the same time",
            "each undoes what the other does, so the clock may jump",
            "stop one of them",
        )
    if state is None:
        return
    by = f" by {' and '.join(services)}" if services else ""
    if state.is_synchronised:
        yield ok(f"the clock is synchronised{by}, within {state.largest_error:.3f} s")
    elif is_hidden(host, find_kubelet(host)):
        return  # the service that keeps it is not seen either
    elif services:
        yield info(
            f"{' and '.join(services)} runs, and the kernel does not count the clock as "
            "synchronised",
            "the service has not found a server yet, or is chronyd without the line rtcsync",
            "chronyc tracking, timedatectl timesync-status or ntpq -p shows it",
        )
    else:
        yield warning(
            "nothing keeps the clock right",
            "twistdp and the kubelet do not need it, but certificates and tokens become invalid "
            "when it is wrong, and the times in logs are useless",
            "run chrony or systemd-timesyncd",
        )


def check_steps(host: Host, now: float | None = None) -> Findings:
    """Whether the clock has jumped since the host or its kubelet started."""
    now = time.time() if now is None else now
    if not find_kubelet(host).is_there:
        return
    jumped = False
    for path in _STAMPS:
        found = host.stat(path)
        if found is not None and found.st_mtime > now + TOLERANCE:
            jumped = True
            yield error(
                f"{path} was written {found.st_mtime - now:.0f} s from now",
                "the clock has been set back since: certificates may not be valid yet, and the API "
                "server may take this node for lost",
                "find out what sets the clock (journalctl -u chronyd, -u systemd-timesyncd), and "
                "restart the kubelet once it is right",
            )
            break
    booted, made = _boot(host), host.stat(KUBELET_SOCKET)
    if booted is not None and made is not None and made.st_mtime < booted - TOLERANCE:
        seen = listener(host, KUBELET_SOCKET)
        if seen.peer is not None:  # a process is younger than its host
            jumped = True
            yield warning(
                f"the clock has been set forward by {booted - made.st_mtime:.0f} s or more since "
                "the kubelet started",
                "leases, certificates and other things that depend on it may have run out at "
                "once. twistdp and the kubelet's plugins do not depend on it",
                "let the time service wait for the first synchronisation before the kubelet starts "
                "(systemd: time-sync.target)",
            )
    if not jumped:
        yield ok("the clock has not jumped since the kubelet started, as far as files show")


def _boot(host: Host) -> float | None:
    """When the host was started, as its clock has it now."""
    content = host.head("/proc/stat", 4 * 1024 * 1024) or b""
    for line in content.splitlines():
        words = line.split()
        if words[:1] == [b"btime"] and len(words) == 2 and words[1].isdigit():
            return float(words[1])
    return None
