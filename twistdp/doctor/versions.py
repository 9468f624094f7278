"""Checks versions: what this program needs, and what the kubelet and the kernel can do."""

import platform
import re
from collections.abc import Iterator
from importlib import metadata
from typing import Final, TypeAlias

from twistdp.doctor.findings import Findings, error, info, ok, warning
from twistdp.doctor.host import Host
from twistdp.doctor.kubelet import find_kubelet
from twistdp.doctor.processes import Process

Version: TypeAlias = tuple[int, ...]

CDI: Final = (1, 29)
"""The first Kubernetes that passes CDI names of device plugins without a feature gate."""

POD_RESOURCES: Final = (1, 20)
"""The first Kubernetes with version 1 of the pod-resources API."""

CGROUPS: Final = (5, 8)
"""The first Linux whose cgroup v2 Kubernetes supports."""

_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9._-]+)\s*>=\s*([0-9.]+)\s*(?:;(.*))?")
_SINCE: Final = re.compile(r'\s*python_version\s*>=\s*"([0-9.]+)"\s*')


def parsed(text: str) -> Version | None:
    """The first version in a text, as numbers; None if there is none."""
    found = re.search(r"(\d+(?:\.\d+)+)", text)
    return None if found is None else tuple(int(part[:9]) for part in found[1].split("."))


def spelled(version: Version) -> str:
    """A version as people write it."""
    return ".".join(map(str, version))


def version_of(host: Host, process: Process | None) -> Version | None:
    """The version of a running program; None if it cannot be asked."""
    if process is None:
        return None
    try:
        return parsed(host.version(process.pid))
    except OSError:
        return None


def kubelet_version(host: Host) -> Version | None:
    """The version of the running kubelet; None if it is not known."""
    return version_of(host, find_kubelet(host).process)


def check_packages(host: Host, name: str = "twistdp") -> Findings:
    """Whether Python and the packages that this program uses are new enough."""
    try:
        mine, needs = metadata.version(name), metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        yield info(
            f"{name} is not installed as a package",
            "which versions it needs is not known",
            "install it from a checkout, and not by its name from an index: pip install DIRECTORY",
        )
        return
    seen = []
    for package, wanted in _needed(needs):
        try:
            found = metadata.version(package)
        except metadata.PackageNotFoundError:
            yield error(
                f"the package {package} is missing",
                f"{name} needs {package} {spelled(wanted)} or later, and does not run without it",
                f"pip install '{package}>={spelled(wanted)}'",
            )
            continue
        if (parsed(found) or wanted) < wanted:
            yield error(
                f"{package} {found} is installed",
                f"{name} {mine} needs {spelled(wanted)} or later, and older ones have faults that "
                "it does not work around",
                f"pip install '{package}>={spelled(wanted)}'",
            )
        elif package.lower() in ("grpcio", "twisted", "protobuf"):
            seen.append(f"{package} {found}")
    yield ok(f"{name} {mine}, Python {platform.python_version()}, {', '.join(seen)}")


def check_kernel(host: Host) -> Findings:
    """Whether the kernel is new enough for its cgroups."""
    release = host.line("/proc/sys/kernel/osrelease")
    version = parsed(release or "")
    if version is None:
        return
    if version < CGROUPS and host.exists("/sys/fs/cgroup/cgroup.controllers"):
        yield warning(
            f"Linux {release} with cgroup v2",
            f"Kubernetes supports cgroup v2 since Linux {spelled(CGROUPS)}",
            "use a newer kernel",
        )
    else:
        yield ok(f"Linux {release}")


def check_kubelet_version(host: Host) -> Findings:
    """Whether the kubelet's version can do what plugins need."""
    version = kubelet_version(host)
    if version is None:
        return
    text = f"the kubelet is version {spelled(version)}"
    if version < POD_RESOURCES:
        yield warning(
            text,
            f"it has no pod-resources API of version 1, which came with {spelled(POD_RESOURCES)}: "
            "nobody knows which pod has which device",
            "update Kubernetes",
        )
    elif version < CDI:
        yield info(
            text,
            f"it drops the CDI names that plugins give, silently; {spelled(CDI)} passes them",
            "update Kubernetes before you serve devices with CDI",
        )
    else:
        yield ok(text)


def _needed(requirements: list[str]) -> Iterator[tuple[str, Version]]:
    """The packages that are needed here, without those of extras, and their lowest versions."""
    running = parsed(platform.python_version()) or ()
    for each in requirements:
        found = _REQUIREMENT.fullmatch(each)
        if found is None or (wanted := parsed(f"{found[2]}.0")) is None:
            continue
        marker = found[3]
        if marker is not None:
            since = _SINCE.fullmatch(marker)
            if since is None or running < (parsed(since[1]) or ()):
                continue
        yield found[1], parsed(found[2]) or wanted
