"""Checks how the container runtime handles devices: CDI, and who owns a node in a container."""

import os

from twistdp.doctor.cdi_support import BY_DEFAULT, containerd_support, crio_support
from twistdp.doctor.containerd import is_disabled, misplaced, read_containerd, version
from twistdp.doctor.crio import read_crio
from twistdp.doctor.findings import Finding, Findings, error, info, ok, warning
from twistdp.doctor.host import Host, Unreadable
from twistdp.doctor.kubelet import Kubelet, find_kubelet
from twistdp.doctor.runtime import (
    SPEC_DIRECTORIES,
    Runtime,
    Settings,
    default_socket,
    find_runtime,
)
from twistdp.doctor.sockets import listener
from twistdp.doctor.versions import Version, spelled, version_of
from twistdp.doctor.view import is_hidden
from twistdp.model import named


def check_runtime(host: Host) -> Findings:
    """Whether the kubelet's runtime is there, and what it does with devices."""
    kubelet = find_kubelet(host)
    runtime = find_runtime(host, kubelet)
    lost = _lost(host, kubelet, runtime)
    if lost is not None:
        yield lost
    if runtime is None:
        if kubelet.is_there and lost is None and not is_hidden(host, kubelet):
            yield info(
                "neither containerd nor CRI-O is seen",
                "whether CDI works, and who owns the nodes in a container, is not known",
                "run this as root on the node itself; for another runtime see its manual",
            )
        return
    if runtime.name == "containerd":
        yield from _containerd(host, runtime)
    elif runtime.name == "crio":
        yield from _crio(host, runtime)
    else:
        yield info(
            f"the runtime is Docker with {runtime.name}",
            "what it does with devices is not checked. Docker has CDI since version 25, and has "
            "it on by default since 28.2",
            "docker info shows where it looks for CDI specs",
        )


def spec_directories(host: Host) -> list[str]:
    """Where the runtime looks for CDI specs; the last one counts most."""
    runtime = find_runtime(host, find_kubelet(host))
    try:
        settings = None if runtime is None else settings_of(host, runtime)
    except Unreadable:
        settings = None  # check_runtime reports that
    found = None if settings is None else settings.spec_directories
    return [*(found if found is not None else SPEC_DIRECTORIES)]


def settings_of(host: Host, runtime: Runtime) -> Settings:
    """What a runtime's configuration says.  Raises `Unreadable`."""
    if runtime.name == "crio":
        return read_crio(host, runtime.process)
    if runtime.name == "containerd":
        return read_containerd(host, runtime.process, version_of(host, runtime.process))[0]
    return Settings()


def _lost(host: Host, kubelet: Kubelet, runtime: Runtime | None) -> Finding | None:
    """What is wrong if the kubelet runs, and nobody listens where it looks for its runtime."""
    if kubelet.process is None:
        return None
    path = kubelet.endpoint or default_socket("" if runtime is None else runtime.name)
    is_known = bool(kubelet.endpoint) or runtime is None or runtime.process is None
    if not is_known or not listener(host, path).is_dead:
        return None
    return error(
        f"no container runtime listens on {path}, where the kubelet looks for it",
        "no container starts on this node",
        "start the runtime (systemctl start containerd, or crio), or correct the kubelet's "
        "containerRuntimeEndpoint",
    )


def _containerd(host: Host, runtime: Runtime) -> Findings:
    name, seen = _named(host, runtime)
    try:
        settings, config = read_containerd(host, runtime.process, seen)
    except Unreadable as failure:
        yield error(
            str(failure),
            "containerd does not start with it, and nobody knows what it does with devices",
            "correct the file; containerd config dump shows what it reads",
        )
        return
    if is_disabled(config):
        yield error(
            f"{name} has its CRI plugin switched off (disabled_plugins in {named(settings.files)})",
            "a kubelet cannot use it; Docker's package has this for Docker alone",
            "remove it from disabled_plugins, and restart containerd",
        )
    for path, key, wrong, right in misplaced(host, settings.files, seen or BY_DEFAULT):
        yield warning(
            f'{path} sets {key} in [plugins."{wrong}"]',
            f'a file of this version has it in [plugins."{right}"], so containerd does not look '
            "at it",
            f"move it there (containerd config migrate), and restart {runtime.name}",
        )
    yield containerd_support(host, name, seen, settings, version(config))
    yield from _common(name, settings)


def _crio(host: Host, runtime: Runtime) -> Findings:
    try:
        settings = read_crio(host, runtime.process)
    except Unreadable as failure:
        yield error(
            str(failure),
            "CRI-O does not start with it, and nobody knows what it does with devices",
            "correct the file; crio status config shows what it reads",
        )
        return
    name, seen = _named(host, runtime)
    yield crio_support(host, name, seen, settings)
    yield from _common(name, settings)


def _common(name: str, settings: Settings) -> Findings:
    directories = settings.spec_directories
    if directories and not any(_is_dynamic(each) for each in directories):
        yield warning(
            f"{name} looks for CDI specs in {named(directories)}",
            "plugins write theirs to /var/run/cdi, where this runtime does not look: containers "
            "are refused",
            f"add /var/run/cdi to cdi_spec_dirs, or give plugins --cdi-dir={directories[-1]}",
        )
    if settings.owner_from_pod:
        yield ok(f"in containers of {name} a device belongs to the pod's user")
    else:
        yield info(
            f"{name} has device_ownership_from_security_context off, its default",
            "a node in a container has the owner, group and mode of the host's: a container that "
            "does not run as root may be refused",
            "give such pods the group (twistdp scan shows it) in supplementalGroups, or use CDI's "
            "additional_gids, or set it to true and restart the runtime",
        )


def _is_dynamic(directory: str) -> bool:
    return os.path.normpath(directory) in ("/var/run/cdi", "/run/cdi")


def _named(host: Host, runtime: Runtime) -> tuple[str, Version | None]:
    seen = version_of(host, runtime.process)
    name = "CRI-O" if runtime.name == "crio" else runtime.name
    return (name if seen is None else f"{name} {spelled(seen)}"), seen
