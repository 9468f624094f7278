"""Checks the CDI specs of the host: who may write them, where they are, and what they name."""

import os
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from twistdp.doctor.findings import Findings, error, info, ok, warning
from twistdp.doctor.host import Host, Unreadable
from twistdp.doctor.mounts import filesystem
from twistdp.doctor.runtime import spec_paths
from twistdp.doctor.runtimes import spec_directories
from twistdp.doctor.sockets import guarded
from twistdp.doctor.specs import OURS, Spec, read_spec
from twistdp.model import named
from twistdp.settings import CDI_DIRECTORY

STATIC: Final = "/etc/cdi"
_VOLATILE: Final = ("tmpfs", "ramfs")


def check_specs(host: Host) -> Findings:
    """Whether every spec can be used, and no two describe one device."""
    directories = spec_directories(host)
    specs: list[Spec] = []
    for index, directory in enumerate(directories):
        if any(host.is_same(directory, each) for each in directories[:index]):
            continue
        yield from guarded(host, directory, "run programs as root: a spec may name hooks")
        for path in spec_paths(host, directory):
            try:
                specs.append(read_spec(host, path))
            except Unreadable as failure:
                yield warning(
                    str(failure),
                    "runtimes leave this file out, and refuse containers with its devices",
                    "correct it, remove it, or restart the plugin that wrote it",
                )
    yield from _fatal(specs)
    yield from _twice(specs)
    yield from _shared(specs)
    yield from _gone(host, specs)
    if specs:
        plural = "s" if len(specs) != 1 else ""
        yield ok(f"{len(specs)} CDI spec{plural} in {named(directories)}")
    else:
        yield ok(f"no CDI specs in {named(directories)}")


def check_places(host: Host) -> Findings:
    """Whether specs that plugins write are where a reboot removes them."""
    there = host.exists(CDI_DIRECTORY)
    kind = filesystem(host, CDI_DIRECTORY if there else os.path.dirname(CDI_DIRECTORY))
    if kind is not None and kind not in _VOLATILE:
        yield (warning if there else info)(
            f"{CDI_DIRECTORY} is on {kind}, and not on a tmpfs",
            "specs stay there over a reboot, although devices may then have other names: a pod "
            "could get another device",
            "mount a tmpfs on /run, as systemd does, or remove the specs when the host boots",
        )
    elif kind is not None and there:
        yield ok(f"{CDI_DIRECTORY} is on a {kind}, which a reboot empties")
    written = [path for path in spec_paths(host, STATIC) if os.path.basename(path).startswith(OURS)]
    if written:
        yield warning(
            f"a plugin of twistdp has written {named(written)}",
            f"{STATIC} is for specs that people write. One of a plugin stays there over a reboot, "
            f"and when the plugin is gone, and one in {CDI_DIRECTORY} overrides it",
            f"give the plugin --cdi-dir={CDI_DIRECTORY}, the default, and remove the file",
        )


def _fatal(specs: list[Spec]) -> Findings:
    """Kinds on which runtimes crash."""
    for spec in specs:
        if any(len(part) == 1 for part in spec.kind.split("/")):
            yield error(
                f"{spec.path} has the kind {spec.kind}, of which one part is a single character",
                "containerd up to 2.3 and other runtimes crash when they read it, again at each "
                "start",
                "remove the file, and start the runtime; its owner has to use a longer name",
            )


def _twice(specs: list[Spec]) -> Findings:
    """Devices that two specs describe: neither counts in one directory, else the last one does."""
    places: dict[str, list[str]] = defaultdict(list)
    for spec in specs:
        for device in spec.devices:
            places[f"{spec.kind}={device}"].append(spec.path)
    for paths, names in _by_paths(places).items():
        if len({os.path.dirname(path) for path in paths}) < len(paths):
            yield error(
                f"{named(paths, ' and ')} describe {named(names)}",
                "of two specs in one directory neither counts: runtimes refuse containers with the "
                "device",
                "remove one of the files, or stop one of the two programs that write them",
            )
        else:
            yield warning(
                f"{named(paths, ' and ')} describe {named(names)}",
                f"{paths[-1]} counts, since runtimes look there last, and what the other one says "
                "is ignored",
                f"remove {paths[0]} unless this is wanted",
            )


def _shared(specs: list[Spec]) -> Findings:
    """Kinds of twistdp's that another program describes too."""
    for spec in specs:
        others = [each.path for each in specs if each.kind == spec.kind and not each.is_ours]
        if spec.is_ours and others:
            yield warning(
                f"{spec.path} and {named(others)} are of one kind, {spec.kind}",
                "a plugin of twistdp and another program describe devices of one resource, and "
                "know nothing of each other",
                "stop one of the two",
            )


def _by_paths(places: Mapping[str, list[str]]) -> dict[tuple[str, ...], list[str]]:
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, paths in places.items():
        if len(paths) > 1:
            found[tuple(paths)].append(name)
    return found


def _gone(host: Host, specs: list[Spec]) -> Findings:
    """Nodes and hooks that are not there; twistdp keeps devices that have vanished on purpose."""
    for spec in specs:
        gone = [path for path in spec.paths if not spec.is_ours and not host.exists(path)]
        if gone:
            yield warning(
                f"{spec.path} ({spec.kind}) names {named(gone)}, which is not there",
                "runtimes refuse containers with such a device",
                "make the spec again with the tool that wrote it, as after an update of a driver",
            )
