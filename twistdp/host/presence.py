"""Checks that the nodes that a container is about to get exist."""

import os
import stat
from collections.abc import Iterable, Iterator

from twistdp.errors import MissingNode
from twistdp.host.listing import ABSENT
from twistdp.model import DeviceInfo, printable


def host_paths(info: DeviceInfo) -> Iterator[str]:
    """Yield the host paths of a device's nodes, with those of its CDI part."""
    for node in info.nodes:
        yield node.host_path
    if info.cdi is not None:
        for part in info.cdi.nodes:
            yield part.host_path or part.path


def mounted_paths(info: DeviceInfo) -> Iterator[str]:
    """Yield the host paths that a device mounts, with those of its CDI part."""
    for mount in info.mounts:
        yield mount.host_path
    if info.cdi is not None:
        for bound in info.cdi.mounts:
            if bound.host_path.startswith("/"):  # otherwise the source of another file system
                yield bound.host_path


def programs(info: DeviceInfo) -> Iterator[str]:
    """Yield the programs of the host that the runtime runs for a device."""
    if info.cdi is not None:
        for hook in info.cdi.hooks:
            yield hook.path


def check_present(resource: str, device: str, paths: Iterable[str]) -> None:
    """Raise `MissingNode` unless each path leads to a device node, or to a directory of nodes.

    `resource` and `device` are for the message.  A path that cannot be looked at passes.  Not for
    the nodes of CDI parts: some are made from numbers or are pipes, and the runtime looks at the
    device when it makes a container, which the kubelet tries again.
    """
    for path in paths:
        try:
            mode = os.stat(path).st_mode
        except OSError as error:
            if error.errno not in ABSENT:
                continue
            reason = f"its node {printable(path)} is gone ({error.strerror})"
        else:
            # Runtimes take a directory for all nodes in it.
            if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or stat.S_ISDIR(mode):
                continue
            reason = f"{printable(path)} is no device node"
        raise MissingNode(
            f"{resource}: device {device} cannot be used, {reason}; plug it in again or delete the "
            "pod, and a new one gets a device that is there (--check-nodes=false leaves this check "
            "out, for a plugin that does not see the host's /dev)"
        )
