"""Runs the checks one after another, each with a time limit; a failure is a finding too."""

from collections.abc import Callable, Iterator, Mapping
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final

import attrs

from twistdp.doctor.cdi import check_places, check_specs
from twistdp.doctor.cgroups import check_cgroups
from twistdp.doctor.clock import check_clock, check_steps
from twistdp.doctor.directory import check_kubelet, check_pod_resources, check_sockets
from twistdp.doctor.findings import Finding, Findings, warning
from twistdp.doctor.host import Host, Unreadable
from twistdp.doctor.limits import check_files, check_inotify
from twistdp.doctor.plugins import check_plugins
from twistdp.doctor.runtimes import check_runtime
from twistdp.doctor.security import check_apparmor, check_selinux
from twistdp.doctor.topology import check_configuration, check_topology
from twistdp.doctor.versions import check_kernel, check_kubelet_version, check_packages
from twistdp.doctor.view import check_view
from twistdp.model import of_error

PATIENCE: Final = 20.0
"""Seconds for a check: reading a file on a network that is down never ends."""

Check = Callable[[Host], Findings]


CHECKS: Final[Mapping[str, Check]] = {
    "view": check_view,
    "kubelet": check_kubelet,
    "plugin-sockets": check_sockets,
    "pod-resources": check_pod_resources,
    "plugins": check_plugins,
    "kubelet-config": check_configuration,
    "numa": check_topology,
    "runtime": check_runtime,
    "cdi-specs": check_specs,
    "cdi-places": check_places,
    "selinux": check_selinux,
    "apparmor": check_apparmor,
    "cgroups": check_cgroups,
    "inotify": check_inotify,
    "open-files": check_files,
    "clock": check_clock,
    "clock-steps": check_steps,
    "packages": check_packages,
    "kernel": check_kernel,
    "kubelet-version": check_kubelet_version,
}
"""All checks by name, in the order in which people want to read them."""


def examine(
    host: Host, checks: Mapping[str, Check] = CHECKS, patience: float = PATIENCE
) -> Iterator[Finding]:
    """The findings of all checks, each as soon as its check has ended; never raises."""
    for name, check in checks.items():
        for each in _outcome(host, check, patience):
            yield attrs.evolve(each, check=name)


def _outcome(host: Host, check: Check, patience: float) -> list[Finding]:
    done: SimpleQueue[list[Finding]] = SimpleQueue()
    # A daemon, since nothing interrupts a read that hangs, and the process must end nevertheless.
    Thread(target=lambda: done.put(_findings(host, check)), daemon=True).start()
    try:
        return done.get(timeout=patience)
    except Empty:
        return [
            warning(
                f"no answer within {patience:g} s",
                "a file system or a process hangs, and so does every program that asks it",
                "look for processes in state D (ps axo stat,pid,comm) and for network file systems",
            )
        ]


def _findings(host: Host, check: Check) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(check(host))
    except Unreadable as failure:
        found.append(_unknown(str(failure)))
    except Exception as failure:  # an odd host may make a check raise anything
        found.append(_unknown(of_error(failure)))
    return found


def _unknown(reason: str) -> Finding:
    return warning(
        f"this could not be checked: {reason}",
        "whether something is wrong here is not known",
        "correct what is wrong with the file, or look at it yourself",
    )
