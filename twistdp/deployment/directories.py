"""The directories in a container: its own, and those of the node that it gets."""

from typing import Any

import attrs

UDEV = "/run/udev"
"""Udev's data base, which not every node has."""

SCANNER_DIRECTORY = "/etc/twistdp"
"""The directory of the scanner's file in the container."""

CONFIG_DIRECTORY = "/etc/twistdp-config"
"""The directory of the configuration in the container."""

OF_THE_CONTAINER = {"/", "/bin", "/lib", "/lib64", "/opt", "/usr"}
"""Directories of the container's own programs."""


@attrs.frozen
class HostPath:
    """A path of the node that the container has under the same name.

    `type` is Kubernetes': a ``Directory`` is waited for.
    """

    name: str
    path: str
    writable: bool = False
    type: str = "Directory"

    def mount(self) -> dict[str, Any]:
        """The container's part of it."""
        # Without recursiveReadOnly, mounts below it such as /dev/shm could be written to.
        only = {} if self.writable else {"readOnly": True, "recursiveReadOnly": "Enabled"}
        return {"name": self.name, "mountPath": self.path, **only}

    def volume(self) -> dict[str, Any]:
        """The pod's part of it."""
        return {"name": self.name, "hostPath": {"path": self.path, "type": self.type}}


def of_the_host(number: int, path: str) -> HostPath:
    """A directory that the plugin reads, the one of this number."""
    # A node without udev gets an empty directory, so that its pod need not wait for it.
    kind = "DirectoryOrCreate" if path == UDEV else "Directory"
    return HostPath(f"host-{number}", path, type=kind)
