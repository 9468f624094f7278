"""Which plugin the manifests are for, and what it gets of the node."""

import os
import re
import string
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from twistdp.deployment.sandbox import holds, is_kubelets, made_secrets
from twistdp.deployment.scanner_file import CONFIG_DIRECTORY, SCANNER_DIRECTORY
from twistdp.errors import BadSetting
from twistdp.settings import STATE_DIRECTORY, Settings

UDEV = "/run/udev"
"""Udev's data base, which not every node has."""

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


def _of_the_host(number: int, path: str) -> HostPath:
    # A node without udev gets an empty directory, so that its pod need not wait for it.
    kind = "DirectoryOrCreate" if path == UDEV else "Directory"
    return HostPath(f"host-{number}", path, type=kind)


def _label(_: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?", value):
        raise BadSetting(
            f"--{attribute.name} {value}: use at most 40 lower-case letters, digits and '-' in "
            "between"
        )


def _absolute(_: object, __: object, value: str) -> None:
    if not os.path.isabs(value):
        raise BadSetting(f"--host-path {value}: give an absolute path")


def _image(_: object, __: object, value: str) -> None:
    if not value or set(value) & set(string.whitespace):
        raise BadSetting(f"--image {value!r}: give an image's name, which has no blanks in it")


@attrs.frozen(kw_only=True)
class DaemonSet:
    """A plugin to run on every node.  Raises `BadSetting` for a value that Kubernetes refuses.

    `options` are those of ``twistd deviceplugin``, and `settings` their values.  `name` is the
    name of every object, `namespace` their namespace.  `scanner_file` is a module to put into a
    ConfigMap; `config` is a configuration for another, its path and its text.  `host_paths` are
    directories that the plugin reads.  A state directory other than the default one is the node's,
    so that it outlives the pod.  With `cdi` it writes CDI specs, with `selinux` its SELinux type is
    `SELINUX_TYPE`.  With `openshift` it has what OpenShift asks for, `selinux` included.
    With `http_port` it answers HTTP there, at the pod's address.
    """

    options: Sequence[str]
    settings: Settings = attrs.field(factory=Settings)
    image: str = attrs.field(validator=_image)
    name: str = attrs.field(validator=_label)
    namespace: str = attrs.field(validator=_label)
    scanner_file: str | None = None
    config: tuple[str, str] | None = None
    host_paths: Sequence[str] = attrs.field(
        default=("/dev",), validator=attrs.validators.deep_iterable(_absolute)
    )
    cdi: bool = False
    selinux: bool = False
    openshift: bool = False
    http_port: int | None = None

    def of_the_node(self) -> Iterator[HostPath]:
        """The node's paths in the container.

        Raises `BadSetting` for one that would hide the container's own files.
        """
        kubelet = self.settings.private_place
        paths = [HostPath("kubelet", kubelet or self.settings.plugin_dir, True)]
        if self.cdi:
            paths.append(HostPath("cdi", self.settings.cdi_dir, True, "DirectoryOrCreate"))
        pod_resources = os.path.dirname(self.settings.pod_resources_socket)
        if kubelet is None or not holds(kubelet, pod_resources):
            # The plugin does without it, so its pod need not wait for it.
            paths.append(HostPath("pod-resources", pod_resources, type="DirectoryOrCreate"))
        if self.settings.state_dir != STATE_DIRECTORY:
            paths.append(HostPath("state", self.settings.state_dir, True, "DirectoryOrCreate"))
        paths += [
            _of_the_host(number, "/" + os.path.normpath(path).lstrip("/"))
            for number, path in enumerate(self.host_paths)
        ]
        # Kubernetes refuses two mounts of one path.
        first = {path.path: path for path in reversed(paths)}
        for path in paths:
            if first[path.path] is path:
                self._check(path)
                yield path

    def hidden(self) -> list[str]:
        """Directories with secrets below the kubelet's, which its watcher needs as a whole."""
        kubelet = self.settings.private_place
        if kubelet is None or not is_kubelets(self.settings):
            return []
        shown = [os.path.normpath(path) for path in self.host_paths]
        return [
            path for path in made_secrets(kubelet) if not any(holds(path, one) for one in shown)
        ]

    def _check(self, mounted: HostPath) -> None:
        option = {
            "kubelet": "--plugin-dir"
            if self.settings.private_place is None
            else "--registry-dir, whose parent is mounted",
            "cdi": "--cdi-dir",
            "pod-resources": "--pod-resources-socket",
            "state": "--state-dir",
        }.get(mounted.name, "--host-path")
        path = mounted.path
        if ":" in path:
            raise BadSetting(
                f"mounting the node's {path}: Kubernetes accepts no ':' in the path of a mount; "
                f"give another {option}"
            )
        if path in OF_THE_CONTAINER:
            raise BadSetting(
                f"mounting the node's {path} would hide the container's own programs: give another "
                f"{option}"
            )
        for file, directory, of in (
            (self.scanner_file, SCANNER_DIRECTORY, "--scanner-file"),
            (self.config, CONFIG_DIRECTORY, "--config"),
        ):
            if file and os.path.commonpath([path, directory]) in (path, directory):
                raise BadSetting(
                    f"mounting the node's {path} is in the way of {directory}, the directory "
                    f"of the {of}: give another {option}"
                )
