"""Finds out on which file system a path of the host is."""

import os
from collections.abc import Iterator

from twistdp.doctor.host import Host


def filesystem(host: Host, path: str) -> str | None:
    """The type of the file system that `path` is on; None if that is not known."""
    real = host.where(path)
    if host.is_this:
        real = os.path.realpath(path)
    elif real.startswith(host.root):
        real = real[len(host.root) :] or "/"
    best, kind = "", None
    for place, type_ in _mounts(host):
        if (place == "/" or real == place or real.startswith(f"{place}/")) and len(place) >= len(
            best
        ):
            best, kind = place, type_
    return kind


def _mounts(host: Host) -> Iterator[tuple[str, str]]:
    """Where something is mounted, and its type; of two at one place, the later one counts."""
    # That of process 1 is the host's, also in a container with the host's processes.
    content = host.head("/proc/1/mountinfo", 8 * 1024 * 1024) or b""
    for line in content.decode(errors="replace").splitlines():
        before, _, after = line.partition(" - ")
        words, rest = before.split(), after.split()
        if len(words) > 4 and rest:
            yield words[4].replace("\\040", " "), rest[0]
